import { type Effect, type FieldPath, field, section, type Values } from './fields.ts'
import {
  boolean,
  booleans,
  decimal,
  duration,
  durationOrNanoseconds,
  integer,
  modules,
  oneOf,
  quantity,
  string,
  strings,
  unsigned,
} from './value-type.ts'

const does = (text: string): Effect => ({ does: text })
const unused = (text: string): Effect => ({ unused: text })

const CONNTRACK = does(
  'set in the kernel’s connection tracking when the agent starts, only where it is given',
)
const KIND = does('what the document is')
const MARK = unused('no packet is marked: masquerading is decided for each connection')
const IPVS = unused('there is no ipvs mode')
const WINDOWS = unused('for Windows')
const LOGGING_ALPHA = unused('the log is one stream, written at once')

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/**
 * kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration, whole: each field with its type, its default and what it
 * does here. Sources: k8s.io/kube-proxy/config/v1alpha1 types.go, pkg/proxy/apis/config/v1alpha1 defaults.go (1.36).
 */
export const kubeProxyFields = {
  apiVersion: field(oneOf('kubeproxy.config.k8s.io/v1alpha1'), 'kubeproxy.config.k8s.io/v1alpha1', KIND),
  kind: field(oneOf('KubeProxyConfiguration'), 'KubeProxyConfiguration', KIND),
  featureGates: field(
    booleans,
    {},
    unused('of the feature gates only AllowServiceExternalIPs changes what this proxy does'),
    {
      omitEmpty: true,
    },
  ),
  clientConnection: section({
    kubeconfig: field(string, '', does('how the API server is reached, where --kubeconfig does not say')),
    acceptContentTypes: field(string, '', unused('answers are asked for as JSON')),
    contentType: field(string, 'application/vnd.kubernetes.protobuf', unused('requests are JSON'), {
      zeroIsDefault: true,
    }),
    qps: field(decimal, 5, does('requests to the API server per second, on average; 0 or less: no limit'), {
      zeroIsDefault: true,
    }),
    burst: field(integer, 10, does('requests to the API server at once'), { zeroIsDefault: true }),
  }),
  logging: section({
    format: field(string, 'text', unused('the log is JSON, one line a message'), { zeroIsDefault: true }),
    flushFrequency: field(durationOrNanoseconds, 5_000, unused('every line is written at once'), {
      zeroIsDefault: true,
    }),
    verbosity: field(
      unsigned,
      0,
      does('least severe messages to log: 0 and 1 info, 2 to 5 debug, 6 and more trace'),
    ),
    vmodule: field(modules, [], unused('the log has one level for all'), { omitEmpty: true }),
    options: section({
      text: section({
        splitStream: field(boolean, false, LOGGING_ALPHA, { omitEmpty: true }),
        infoBufferSize: field(quantity, '0', LOGGING_ALPHA),
      }),
      json: section({
        splitStream: field(boolean, false, LOGGING_ALPHA, { omitEmpty: true }),
        infoBufferSize: field(quantity, '0', LOGGING_ALPHA),
      }),
    }),
  }),
  hostnameOverride: field(string, '', does('name of the Node that is served')),
  bindAddress: field(
    string,
    '0.0.0.0',
    does('the node’s primary address, instead of what the Node says; nothing listens on it'),
    { zeroIsDefault: true },
  ),
  healthzBindAddress: field(string, '', does('where /healthz and /livez are served')),
  metricsBindAddress: field(string, '', does('where /metrics is served')),
  bindAddressHardFail: field(
    boolean,
    false,
    does('a health or metrics server that cannot listen ends the agent'),
  ),
  enableProfiling: field(boolean, false, unused('there is no /debug/pprof')),
  showHiddenMetricsForVersion: field(string, '', unused('no metric is hidden')),
  mode: field(
    string,
    '',
    unused(
      'there is one datapath, with the rules of mode nftables; the mode says whose masqueradeAll and periods count',
    ),
  ),
  iptables: section({
    masqueradeBit: field(integer, 14, MARK),
    masqueradeAll: field(
      boolean,
      false,
      does(
        'the node’s view says that all traffic to ClusterIPs is masqueraded, unless mode is nftables; at the socket nothing is',
      ),
    ),
    localhostNodePorts: field(boolean, true, unused('NodePorts are never served on loopback, as with false')),
    syncPeriod: field(
      duration,
      30_000,
      does('a change that waits twice as long makes the node unhealthy; unless mode is nftables or ipvs'),
      { zeroIsDefault: true },
    ),
    minSyncPeriod: field(
      duration,
      1_000,
      unused('changes are written at once, in batches of some milliseconds'),
      {
        zeroIsDefault: true,
      },
    ),
  }),
  ipvs: section({
    syncPeriod: field(duration, 30_000, does('as iptables.syncPeriod, in mode ipvs'), {
      zeroIsDefault: true,
    }),
    minSyncPeriod: field(duration, 0, unused('changes are written at once, in batches of some milliseconds')),
    scheduler: field(string, '', IPVS),
    excludeCIDRs: field(strings, [], IPVS),
    strictARP: field(boolean, false, IPVS),
    tcpTimeout: field(duration, 0, IPVS),
    tcpFinTimeout: field(duration, 0, IPVS),
    udpTimeout: field(duration, 0, IPVS),
  }),
  nftables: section({
    masqueradeBit: field(integer, 14, MARK),
    masqueradeAll: field(boolean, false, does('as iptables.masqueradeAll, in mode nftables')),
    syncPeriod: field(duration, 30_000, does('as iptables.syncPeriod, in mode nftables'), {
      zeroIsDefault: true,
    }),
    minSyncPeriod: field(
      duration,
      1_000,
      unused('changes are written at once, in batches of some milliseconds'),
      {
        zeroIsDefault: true,
      },
    ),
  }),
  winkernel: section({
    networkName: field(string, '', WINDOWS),
    sourceVip: field(string, '', WINDOWS),
    enableDSR: field(boolean, false, WINDOWS),
    rootHnsEndpointName: field(string, '', WINDOWS),
    forwardHealthCheckVip: field(boolean, false, WINDOWS),
  }),
  detectLocalMode: field(
    string,
    'ClusterCIDR',
    does('how pods are told from other sources, for what the node’s view says of masquerading'),
    {
      zeroIsDefault: true,
    },
  ),
  detectLocal: section({
    bridgeInterface: field(string, '', does('in mode BridgeInterface: pods are behind this interface')),
    interfaceNamePrefix: field(
      string,
      '',
      does('in mode InterfaceNamePrefix: pods are behind interfaces whose names begin so'),
    ),
  }),
  clusterCIDR: field(string, '', does('in mode ClusterCIDR: addresses of pods, one CIDR or one a family')),
  nodePortAddresses: field(
    strings,
    [],
    does('addresses of the node that serve NodePorts: CIDRs, or primary, which is the default'),
  ),
  oomScoreAdj: field(integer, -999, does('how readily the kernel kills the agent when memory is short')),
  conntrack: section({
    maxPerCore: field(integer, 32_768, CONNTRACK),
    min: field(integer, 131_072, CONNTRACK),
    tcpEstablishedTimeout: field(duration, 24 * HOUR_MS, CONNTRACK),
    tcpCloseWaitTimeout: field(duration, HOUR_MS, CONNTRACK),
    tcpBeLiberal: field(boolean, false, CONNTRACK),
    udpTimeout: field(duration, 0, CONNTRACK),
    udpStreamTimeout: field(duration, 0, CONNTRACK),
  }),
  configSyncPeriod: field(
    duration,
    15 * MINUTE_MS,
    unused('watches are resumed where they ended, never repeated'),
    {
      zeroIsDefault: true,
    },
  ),
  portRange: field(string, '', unused('kube-proxy does not use it either')),
  windowsRunAsService: field(boolean, false, WINDOWS, { omitEmpty: true }),
}

export type KubeProxyConfiguration = Values<typeof kubeProxyFields>
export type KubeProxyPath = FieldPath<typeof kubeProxyFields>
