import { hostname } from 'node:os'
import { canonicalIP, KpngError } from '@kpng/api'
import type { Sizes } from '@kpng/backend-ebpf'
import type { AgentFlags } from '../options.ts'
import { type ProxyConfiguration, readProxyConfiguration } from './proxy-configuration.ts'

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
  readonly logLevel: string
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
  /** Canonical; the first of a family counts. */
  readonly clusterCIDRs: readonly string[]
  /** undefined: none, for mode ClusterCIDR without a CIDR. */
  readonly localDetector: LocalDetector | undefined
  readonly clientConnection: ClientConnection
  /** The KubeProxyConfiguration in force, for /configz: JSON as kube-proxy prints it. */
  readonly configuration: Readonly<Record<string, unknown>>
}

/** Throws usage. */
export function agentSettings(flags: AgentFlags, host = hostname()): AgentSettings {
  const configuration: ProxyConfiguration =
    flags.config === undefined ? {} : readProxyConfiguration(flags.config)
  const name = flags.hostnameOverride ?? flags.nodeName ?? configuration.hostnameOverride ?? host
  const nodeName = name.trim().toLowerCase()
  // Every policy Local would be misjudged by a node without a name.
  if (nodeName === '') throw new KpngError('usage', 'the node name is empty: --node-name NAME')
  const { maxServicePorts, maxFrontends, maxEndpoints } = flags
  return {
    instance: flags.instance,
    nodeName,
    cgroupRoot: flags.cgroupRoot,
    nodePortAddresses: nodePortAddresses(flags, configuration),
    recordTcp: flags.socketRecord === 'all',
    protectNodePorts: flags.protectNodePorts,
    sizes: { maxServicePorts, maxFrontends, maxEndpoints },
    logLevel: flags.logLevel,
    verbosity: 0,
    bindAddress: '0.0.0.0',
    healthzBindAddress: listenAddress('--healthz-bind-address', flags.healthzBindAddress, '0.0.0.0', 10256),
    metricsBindAddress: listenAddress('--metrics-bind-address', flags.metricsBindAddress, '127.0.0.1', 10249),
    bindAddressHardFail: false,
    syncPeriodMs: 30_000,
    minSyncPeriodMs: 1_000,
    masqueradeAll: false,
    clusterCIDRs: [],
    localDetector: undefined,
    clientConnection: { kubeconfig: '', qps: 5, burst: 10 },
    configuration: {},
  }
}

/** An empty text turns a server off. */
function listenAddress(
  flag: string,
  text: string | undefined,
  address: string,
  port: number,
): ListenAddress | undefined {
  if (text === undefined) return { address, port }
  if (text === '') return undefined
  const [, host = text, digits = String(port)] =
    /^\[(.*)\]:(\d+)$/.exec(text) ?? /^([^:]*):(\d+)$/.exec(text) ?? []
  const found = canonicalIP(host)
  if (found === undefined || Number(digits) < 1 || Number(digits) > 65_535)
    throw new KpngError('usage', `${flag}: "${text}" is not IP:port`)
  return { address: found, port: Number(digits) }
}

/** `primary` stands alone (KEP-4192); everything else is a CIDR. Throws usage. */
function nodePortAddresses(
  flags: AgentFlags,
  configuration: ProxyConfiguration,
): 'primary' | readonly string[] {
  const words = flags.nodeportAddresses ?? configuration.nodePortAddresses ?? ['primary']
  const where =
    flags.nodeportAddresses === undefined ? `${flags.config}: nodePortAddresses` : '--nodeport-addresses'
  if (words.includes('primary')) {
    if (words.length === 1) return 'primary'
    throw new KpngError('usage', `${where}: the word primary stands alone, without CIDRs`)
  }
  const bad = words.find(word => !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(word))
  if (bad !== undefined)
    throw new KpngError('usage', `${where}: "${bad}" is neither a CIDR nor the word primary`)
  return words
}
