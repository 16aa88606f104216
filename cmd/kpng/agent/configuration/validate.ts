import { parseCIDR, parseIP } from '@kpng/api'
import { formatDuration } from './duration.ts'
import type { KubeProxyConfiguration, KubeProxyPath } from './kube-proxy-fields.ts'

/** Tells what is wrong with a field; `inside` is `[0]` for an item of it. */
export type Tell = (path: KubeProxyPath, message: string, inside?: string) => void

/** The section whose masqueradeAll counts; the periods of mode ipvs are in a section of their own. */
export const masqueradeSection = (mode: string): 'iptables' | 'nftables' =>
  mode === 'nftables' ? 'nftables' : 'iptables'
export const periodSection = (mode: string): 'iptables' | 'nftables' | 'ipvs' =>
  mode === 'ipvs' ? 'ipvs' : masqueradeSection(mode)

/**
 * Tells everything that kube-proxy refuses to start with. Source: pkg/proxy/apis/config/validation/validation.go,
 * component-base/logs/api/v1 Validate (1.36).
 */
export function validate(configuration: KubeProxyConfiguration, tell: Tell): void {
  validateModes(configuration, tell)
  validatePeriods(configuration, tell)
  validateAddresses(configuration, tell)
  validateNumbers(configuration, tell)
  validateLogging(configuration, tell)
}

function validateModes(configuration: KubeProxyConfiguration, tell: Tell): void {
  const { mode, detectLocalMode, detectLocal, clusterCIDR } = configuration
  if (!['', 'iptables', 'ipvs', 'nftables'].includes(mode))
    tell('mode', `must be iptables, ipvs, nftables or empty, is ${JSON.stringify(mode)}`)
  switch (detectLocalMode) {
    case 'NodeCIDR':
      break
    case 'BridgeInterface':
      if (detectLocal.bridgeInterface === '')
        tell('detectLocal.bridgeInterface', 'must be set in detectLocalMode BridgeInterface')
      break
    case 'InterfaceNamePrefix':
      if (detectLocal.interfaceNamePrefix === '')
        tell('detectLocal.interfaceNamePrefix', 'must be set in detectLocalMode InterfaceNamePrefix')
      break
    case 'ClusterCIDR':
      if (clusterCIDR !== '') validateClusterCIDR(clusterCIDR.split(','), tell)
      break
    default:
      tell(
        'detectLocalMode',
        `must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix, is ${JSON.stringify(detectLocalMode)}`,
      )
  }
}

function validateClusterCIDR(words: readonly string[], tell: Tell): void {
  const cidrs = words.map(parseCIDR)
  for (const [index, cidr] of cidrs.entries())
    if (cidr === undefined) tell('clusterCIDR', `"${words[index]}" is not a CIDR`)
  if (words.length > 2 || (words.length === 2 && cidrs[0] && cidrs[0].family === cidrs[1]?.family))
    tell('clusterCIDR', 'must be one CIDR, or one of each family')
}

function validatePeriods(configuration: KubeProxyConfiguration, tell: Tell): void {
  const { mode, configSyncPeriod } = configuration
  const name = periodSection(mode)
  const { syncPeriod, minSyncPeriod } = configuration[name]
  if (configSyncPeriod <= 0) tell('configSyncPeriod', 'must be more than 0')
  if (minSyncPeriod < 0) tell(`${name}.minSyncPeriod`, 'must not be negative')
  if (syncPeriod <= 0) tell(`${name}.syncPeriod`, 'must be more than 0')
  else if (minSyncPeriod > syncPeriod)
    tell(
      `${name}.syncPeriod`,
      `must be at least ${name}.minSyncPeriod, which is ${formatDuration(minSyncPeriod)}`,
    )
  if (mode === 'ipvs')
    for (const timeout of ['tcpTimeout', 'tcpFinTimeout', 'udpTimeout'] as const)
      if (configuration.ipvs[timeout] < 0) tell(`ipvs.${timeout}`, 'must not be negative')
}

function validateAddresses(configuration: KubeProxyConfiguration, tell: Tell): void {
  const { bindAddress, nodePortAddresses, mode, ipvs } = configuration
  if (parseIP(bindAddress) === undefined) tell('bindAddress', `"${bindAddress}" is not an IP address`)
  for (const path of ['healthzBindAddress', 'metricsBindAddress'] as const) {
    const text = configuration[path]
    const mistake = text === '' ? undefined : hostPortMistake(text)
    if (mistake !== undefined) tell(path, mistake)
  }
  for (const [index, text] of nodePortAddresses.entries()) {
    if (text === 'primary') {
      if (nodePortAddresses.length > 1)
        tell('nodePortAddresses', 'the word primary stands alone, without CIDRs', `[${index}]`)
    } else if (parseCIDR(text) === undefined)
      tell('nodePortAddresses', `"${text}" is neither a CIDR nor the word primary`, `[${index}]`)
  }
  if (mode === 'ipvs')
    for (const [index, text] of ipvs.excludeCIDRs.entries())
      if (parseCIDR(text) === undefined) tell('ipvs.excludeCIDRs', `"${text}" is not a CIDR`, `[${index}]`)
}

/** `address:port`, `[address]:port`: what Go's net.SplitHostPort takes apart; undefined where it does not. */
function splitHostPort(text: string): { readonly host: string; readonly port: string } | undefined {
  const found = /^\[([^[\]]*)\]:([^:[\]]*)$/.exec(text) ?? /^([^:[\]]*):([^:[\]]*)$/.exec(text)
  return found === null ? undefined : { host: found[1] ?? '', port: found[2] ?? '' }
}

function hostPortMistake(text: string): string | undefined {
  const split = splitHostPort(text)
  if (split === undefined || parseIP(split.host) === undefined)
    return `must be IP:port, is ${JSON.stringify(text)}`
  const port = /^\+?\d+$/.test(split.port) ? Number(split.port) : 0
  return port >= 1 && port <= 65_535
    ? undefined
    : `the port must be from 1 to 65535, is ${JSON.stringify(text)}`
}

function validateNumbers(configuration: KubeProxyConfiguration, tell: Tell): void {
  const { mode, conntrack, oomScoreAdj, clientConnection, showHiddenMetricsForVersion } = configuration
  for (const name of mode === 'nftables' ? (['iptables', 'nftables'] as const) : (['iptables'] as const)) {
    const bit = configuration[name].masqueradeBit
    if (bit < 0 || bit > 31) tell(`${name}.masqueradeBit`, `must be from 0 to 31, is ${bit}`)
  }
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000)
    tell('oomScoreAdj', `must be from -1000 to 1000, is ${oomScoreAdj}`)
  for (const name of [
    'maxPerCore',
    'min',
    'tcpEstablishedTimeout',
    'tcpCloseWaitTimeout',
    'udpTimeout',
    'udpStreamTimeout',
  ] as const)
    if (conntrack[name] < 0) tell(`conntrack.${name}`, 'must not be negative')
  if (clientConnection.burst < 0) tell('clientConnection.burst', 'must not be negative')
  if (showHiddenMetricsForVersion !== '' && !/^\d+\.\d+$/.test(showHiddenMetricsForVersion))
    tell('showHiddenMetricsForVersion', `must be a version such as 1.35, is "${showHiddenMetricsForVersion}"`)
}

function validateLogging({ logging, featureGates }: KubeProxyConfiguration, tell: Tell): void {
  const { format, flushFrequency, verbosity, vmodule, options } = logging
  if (format !== 'text' && format !== 'json') tell('logging.format', `must be text or json, is "${format}"`)
  if (flushFrequency <= 0) tell('logging.flushFrequency', 'must be more than 0')
  if (verbosity >= 2 ** 31) tell('logging.verbosity', `must be less than ${2 ** 31}`)
  if (vmodule.length > 0 && format !== 'text') tell('logging.vmodule', 'only goes with format text')
  for (const [index, { filePattern }] of vmodule.entries()) {
    if (filePattern === '') tell('logging.vmodule', 'must be set', `[${index}].filePattern`)
    if (/[=,]/.test(filePattern))
      tell('logging.vmodule', 'must not contain = and ,', `[${index}].filePattern`)
  }
  if (featureGates.LoggingAlphaOptions === true) return
  for (const kind of ['text', 'json'] as const) {
    // splitStream needs it as well, but kube-proxy forgets what a file says of it before it looks.
    const { infoBufferSize } = options[kind]
    if (!/^[+-]?0*\.?0*[a-zA-Z]*$/.test(infoBufferSize))
      tell(`logging.options.${kind}.infoBufferSize`, 'needs the feature gate LoggingAlphaOptions')
  }
}
