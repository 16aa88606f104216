import { hostname } from 'node:os'
import { KpngError } from '@kpng/api'
import type { Sizes } from '@kpng/backend-ebpf'
import type { AgentFlags } from '../options.ts'
import { type ProxyConfiguration, readProxyConfiguration } from './proxy-configuration.ts'

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
  }
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
