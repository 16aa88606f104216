import { type Effect, field, section, type Values } from './fields.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'
import { boolean, oneOf, string, wholeNumber } from './value-type.ts'

const does = (text: string): Effect => ({ does: text })

/** Sizes of maps are derived by multiplying with at most 4, and must stay below 2^32. */
export const leastEntries = 16
export const mostEntries = 2 ** 26

const entries = wholeNumber(leastEntries, mostEntries)

export const socketRecords = ['all', 'udp'] as const
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const

/** The project's own document: what kube-proxy has no field for, and a KubeProxyConfiguration inside. */
export const agentFields = {
  apiVersion: field(
    oneOf('config.kpng.io/v1alpha1'),
    'config.kpng.io/v1alpha1',
    does('what the document is'),
  ),
  kind: field(oneOf('AgentConfiguration'), 'AgentConfiguration', does('what the document is')),
  cgroupRoot: field(string, '', does('cgroup2 directory whose sockets are served; empty: the mount’s root')),
  socketRecord: field(
    oneOf(...socketRecords),
    'all',
    does('sockets that remember their Service: all, or udp only'),
  ),
  protectNodePorts: field(boolean, false, does('binding a NodePort on this node fails with EADDRINUSE')),
  maxServicePorts: field(entries, 65_536, does('Service ports that fit')),
  maxFrontends: field(entries, 262_144, does('address, port and protocol triples that fit, per family')),
  maxEndpoints: field(entries, 131_072, does('endpoints that fit, per family')),
  maxServiceSeries: field(
    wholeNumber(0, mostEntries),
    1_000,
    does('Services with kpng_service_… metrics of their own, by name; the others are only counted'),
  ),
  logLevel: field(
    oneOf('', ...logLevels),
    '',
    does('least severe messages to log: trace, debug, info, warn, error; empty: as the verbosity says'),
  ),
  kubeProxy: section(kubeProxyFields),
}

export type AgentConfiguration = Values<typeof agentFields>
