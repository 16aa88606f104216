import { availableParallelism, hostname } from 'node:os'
import { canonicalCIDR, canonicalIP, KpngError, type Problem } from '@kpng/api'
import type { Sizes } from '@kpng/backend-ebpf'
import { stringify } from 'yaml'
import type { AgentFlags } from '../options.ts'
import type { AgentConfiguration } from './configuration/agent-fields.ts'
import type { Settings } from './configuration/document.ts'
import {
  type EffectiveConfiguration,
  effectiveConfiguration,
} from './configuration/effective-configuration.ts'
import { printValues } from './configuration/fields.ts'
import { kubeProxyFields } from './configuration/kube-proxy-fields.ts'
import { readConfigurationFile } from './configuration/read-configuration.ts'
import { masqueradeSection, periodSection } from './configuration/validate.ts'
import { conntrackSettings, type KernelSetting } from './conntrack-sysctls.ts'
import { levelOfVerbosity } from './logger.ts'

/** Where a server listens. */
export interface ListenAddress {
  /** Canonical; 0.0.0.0 or :: for all. */
  readonly address: string
  readonly port: number
}

/** How traffic of pods is told from other traffic. */
export type LocalDetector = 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix'

/** How the API server is talked to. */
export interface ClientConnection {
  /** '' when the configuration names none. */
  readonly kubeconfig: string
  /** Requests a second, on average; 0 or less: no limit. */
  readonly qps: number
  /** Requests at once. */
  readonly burst: number
}

/** What an agent runs with: flag before configuration file before default. */
export interface AgentSettings {
  readonly instance: string
  readonly nodeName: string
  /** undefined: found by itself. */
  readonly cgroupRoot: string | undefined
  readonly nodePortAddresses: 'primary' | readonly string[]
  readonly recordTcp: boolean
  readonly protectNodePorts: boolean
  readonly sizes: Sizes
  /** Services with metrics of their own. */
  readonly maxServiceSeries: number
  /** pino's. */
  readonly logLevel: string
  /** Prepare the machine, and exit. */
  readonly initOnly: boolean
  /** undefined: left as it is. */
  readonly oomScoreAdj: number | undefined
  /** What the user asks of the kernel's connection tracking. */
  readonly kernelSettings: readonly KernelSetting[]
  /** --config. */
  readonly configurationFile: ConfigurationFile | undefined
  /** What was set and has no effect, to be told once. */
  readonly warnings: readonly Problem[]
  /** kube-proxy's scale, 0 to 10. */
  readonly verbosity: number
  /** The node's own primary address, where the user sets it; 0.0.0.0 or :: = as the Node says. Canonical. */
  readonly bindAddress: string
  /** undefined: off. */
  readonly healthzBindAddress: ListenAddress | undefined
  /** undefined: off. */
  readonly metricsBindAddress: ListenAddress | undefined
  /** A server that cannot listen ends the process. */
  readonly bindAddressHardFail: boolean
  readonly syncPeriodMs: number
  readonly minSyncPeriodMs: number
  readonly masqueradeAll: boolean
  /** Services' externalIPs are served (feature gate AllowServiceExternalIPs). */
  readonly externalIPs: boolean
  /** Canonical; the first of a family counts. */
  readonly clusterCIDRs: readonly string[]
  /** undefined: none, for mode ClusterCIDR without a CIDR. */
  readonly localDetector: LocalDetector | undefined
  readonly clientConnection: ClientConnection
  /** The KubeProxyConfiguration in force, for /configz: JSON as kube-proxy prints it. */
  readonly configuration: Readonly<Record<string, unknown>>
}

/** The file of --config, with what it said when it was read. */
export interface ConfigurationFile {
  readonly path: string
  readonly text: string
}

export interface SettingsOptions {
  /** Default: the host's name. */
  readonly host?: string
  /** A node of a cluster, as kube-proxy runs on it. Default false. */
  readonly ofCluster?: boolean
}

/** Throws usage, with all mistakes. */
export function agentSettings(flags: AgentFlags, options: SettingsOptions = {}): AgentSettings {
  const file =
    flags.config === undefined ? undefined : { path: flags.config, text: readConfigurationFile(flags.config) }
  const { configuration, warnings, settings } = effective(flags, file)
  const { kubeProxy } = configuration
  const { cgroupRoot, maxServicePorts, maxFrontends, maxEndpoints } = configuration
  const { mode, clusterCIDR, detectLocalMode, nodePortAddresses, clientConnection } = kubeProxy
  const { syncPeriod, minSyncPeriod } = kubeProxy[periodSection(mode)]
  const clusterCIDRs =
    detectLocalMode === 'ClusterCIDR' ? clusterCIDR.split(',').flatMap(text => canonicalCIDR(text) ?? []) : []
  const oomScoreIsSet = settings.has('kubeProxy.oomScoreAdj')
  return {
    instance: flags.instance,
    nodeName: nodeName(flags, kubeProxy.hostnameOverride, options.host ?? hostname()),
    cgroupRoot: cgroupRoot === '' ? undefined : cgroupRoot,
    nodePortAddresses:
      nodePortAddresses.length === 0 || nodePortAddresses[0] === 'primary' ? 'primary' : nodePortAddresses,
    recordTcp: configuration.socketRecord === 'all',
    protectNodePorts: configuration.protectNodePorts,
    sizes: { maxServicePorts, maxFrontends, maxEndpoints },
    maxServiceSeries: configuration.maxServiceSeries,
    logLevel: logLevel(flags, configuration),
    initOnly: flags.initOnly === true,
    oomScoreAdj: options.ofCluster === true || oomScoreIsSet ? kubeProxy.oomScoreAdj : undefined,
    kernelSettings: conntrackSettings(
      kubeProxy.conntrack,
      givenIn(settings, 'kubeProxy.conntrack', kubeProxy.conntrack),
      availableParallelism(),
    ),
    configurationFile: file,
    warnings,
    verbosity: kubeProxy.logging.verbosity,
    bindAddress: canonicalIP(kubeProxy.bindAddress) ?? '0.0.0.0',
    healthzBindAddress: listenAddress(kubeProxy.healthzBindAddress),
    metricsBindAddress: listenAddress(kubeProxy.metricsBindAddress),
    bindAddressHardFail: kubeProxy.bindAddressHardFail,
    syncPeriodMs: syncPeriod,
    minSyncPeriodMs: minSyncPeriod,
    externalIPs: kubeProxy.featureGates.AllowServiceExternalIPs !== false,
    masqueradeAll: kubeProxy[masqueradeSection(mode)].masqueradeAll,
    clusterCIDRs,
    localDetector:
      detectLocalMode === 'ClusterCIDR' && clusterCIDRs.length === 0
        ? undefined
        : (detectLocalMode as LocalDetector),
    clientConnection: {
      kubeconfig: clientConnection.kubeconfig,
      qps: clientConnection.qps,
      burst: clientConnection.burst,
    },
    configuration: printValues(kubeProxyFields, kubeProxy),
  }
}

/** The fields of a section that a flag or the file has. */
const givenIn = <T extends object>(settings: Settings, path: string, section: T): ReadonlySet<keyof T> =>
  new Set((Object.keys(section) as (keyof T & string)[]).filter(name => settings.has(`${path}.${name}`)))

function effective(flags: AgentFlags, file: ConfigurationFile | undefined): EffectiveConfiguration {
  const { cgroupRoot, socketRecord, protectNodePorts, logLevel } = flags
  const { maxServicePorts, maxFrontends, maxEndpoints, maxServiceSeries } = flags
  return effectiveConfiguration({
    ...(file === undefined ? {} : { file: file.path, text: file.text }),
    own: {
      cgroupRoot,
      socketRecord,
      protectNodePorts,
      logLevel,
      maxServicePorts,
      maxFrontends,
      maxEndpoints,
      maxServiceSeries,
    },
    proxy: flags,
  })
}

/** The document that results of flags and file, as --write-config-to has it. Throws usage. */
export function configurationText(flags: AgentFlags): string {
  const file =
    flags.config === undefined ? undefined : { path: flags.config, text: readConfigurationFile(flags.config) }
  const { kubeProxy } = effective(flags, file).configuration
  return stringify(printValues(kubeProxyFields, kubeProxy), { sortMapEntries: true })
}

function nodeName(flags: AgentFlags, configured: string, host: string): string {
  const given =
    (flags.hostnameOverride || undefined) ?? flags.nodeName ?? (configured === '' ? host : configured)
  const name = String(given).trim().toLowerCase()
  // Every policy Local would be misjudged by a node without a name.
  if (name === '') throw new KpngError('usage', 'the node name is empty: --node-name NAME')
  return name
}

/** --log-level, else -v, else the file's logLevel, else its verbosity. */
function logLevel(flags: AgentFlags, { logLevel, kubeProxy }: AgentConfiguration): string {
  if (flags.logLevel !== undefined) return flags.logLevel
  if (flags.v !== undefined || logLevel === '') return levelOfVerbosity(kubeProxy.logging.verbosity)
  return logLevel
}

/** '' is off; what is not is known to be good. */
function listenAddress(text: string): ListenAddress | undefined {
  if (text === '') return undefined
  const at = text.lastIndexOf(':')
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return { address: canonicalIP(host) ?? host, port: Number(text.slice(at + 1)) }
}
