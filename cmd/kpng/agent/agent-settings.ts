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
  const nodeName = flags.hostnameOverride ?? flags.nodeName ?? configuration.hostnameOverride ?? host
  const { maxServicePorts, maxFrontends, maxEndpoints } = flags
  return {
    instance: flags.instance,
    nodeName: nodeName.trim().toLowerCase(),
    cgroupRoot: flags.cgroupRoot,
    nodePortAddresses: nodePortAddresses(flags.nodeportAddresses ?? configuration.nodePortAddresses),
    recordTcp: flags.socketRecord === 'all',
    protectNodePorts: flags.protectNodePorts,
    sizes: { maxServicePorts, maxFrontends, maxEndpoints },
    logLevel: flags.logLevel,
  }
}

/** `primary` stands alone (KEP-4192); everything else is a CIDR. Throws usage. */
function nodePortAddresses(words: readonly string[] | undefined): 'primary' | readonly string[] {
  if (words === undefined || words.length === 0) return 'primary'
  if (words.includes('primary')) {
    if (words.length === 1) return 'primary'
    throw new KpngError('usage', 'nodeport addresses: the word primary stands alone, without CIDRs')
  }
  const bad = words.find(word => !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(word))
  if (bad !== undefined)
    throw new KpngError('usage', `nodeport addresses: "${bad}" is neither a CIDR nor the word primary`)
  return words
}
