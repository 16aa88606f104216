import { type Family, ipFamily, KpngError, type NodeView } from '@kpng/api'
import type { Logger } from 'pino'
import { version } from '../version.ts'
import type { AgentSettings } from './agent-settings.ts'
import { checkFamilies } from './check-families.ts'
import { describeMistake } from './configuration/describe-mistake.ts'
import { applyKernelSettings } from './conntrack-sysctls.ts'
import { setOomScoreAdj } from './oom-score.ts'

/** So long kube-proxy waits for its Node to have addresses. */
const nodeWithinMs = 30_000

const incomplete = 'Kube-proxy configuration may be incomplete or incorrect'

/**
 * What is said and checked once at the start, in kube-proxy's words where people search for them, and again when the
 * Node has come.
 */
export class StartLog implements Disposable {
  readonly #settings: AgentSettings
  readonly #families: readonly Family[]
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined
  #nodeSeen = false

  constructor(settings: AgentSettings, families: readonly Family[], logger: Logger) {
    this.#settings = settings
    this.#families = families
    this.#logger = logger
  }

  /** Before anything else is touched on the machine. Throws usage, and touches nothing, when the node cannot be served so. */
  begin(): void {
    const logger = this.#logger
    const { warnings, oomScoreAdj } = this.#settings
    logger.info({ version }, 'Version info')
    for (const warning of warnings) logger.warn({}, describeMistake(warning))
    const known = this.#familyOfBindAddress()
    // A kernel with one family leaves no choice.
    if (known !== undefined || this.#families.length === 1) this.#check(known ?? 'IPv4')
    logger.info({}, 'Using ebpf Proxier')
    if (this.#families.length > 1) logger.info({}, 'kpng running in dual-stack mode')
    else logger.info({ ipFamily: this.#families[0] }, 'kpng running in single-stack mode')
    const failure = oomScoreAdj === undefined ? undefined : setOomScoreAdj(oomScoreAdj)
    if (failure !== undefined) logger.debug({ oomScoreAdj, err: failure }, 'Failed to apply OOMScore')
    for (const { setting, error } of applyKernelSettings(this.#settings.kernelSettings)) {
      const { path, value } = setting
      if (error === undefined) logger.info({ path, value }, 'Set sysctl')
      else logger.warn({ path, value, err: String(error) }, 'Failed to set sysctl')
    }
    this.#timer = setTimeout(() => this.#noAddress(), nodeWithinMs).unref()
  }

  /** Whenever there may be something new of the Node; the first time that it has an address counts. */
  node(node: NodeView | undefined): void {
    const [first] = node?.addresses ?? []
    if (this.#nodeSeen || node === undefined || first === undefined) return
    this.#nodeSeen = true
    clearTimeout(this.#timer)
    this.#logger.info({ nodeIPs: node.addresses }, 'Successfully retrieved NodeIPs')
    const primary = this.#familyOfBindAddress() ?? ipFamily(first)
    const { clusterCIDRs, localDetector } = this.#settings
    const detects = clusterCIDRs.some(cidr => ipFamily(cidr) === primary)
    if (!detects && (localDetector === undefined || localDetector === 'ClusterCIDR'))
      this.#logger.info(
        { ipFamily: primary, clusterCIDRs },
        'Detect-local-mode set to ClusterCIDR, but no cluster CIDR specified for primary IP family',
      )
    const { fatal, remarks } = checkFamilies(this.#settings, primary, this.#families)
    // Too late to refuse: connections are served already, as well as can be.
    for (const remark of fatal === undefined ? remarks : [fatal, ...remarks])
      this.#logger.warn({ err: remark }, incomplete)
  }

  #check(primary: Family): void {
    const { fatal } = checkFamilies(this.#settings, primary, this.#families)
    if (fatal !== undefined) throw new KpngError('usage', `the configuration is incorrect: ${fatal}`)
  }

  #familyOfBindAddress(): Family | undefined {
    const { bindAddress } = this.#settings
    return bindAddress === '0.0.0.0' || bindAddress === '::' ? undefined : ipFamily(bindAddress)
  }

  #noAddress(): void {
    this.#logger.info(
      {},
      "Can't determine this node's IP, assuming none; if this is incorrect, please set the --bind-address flag",
    )
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
