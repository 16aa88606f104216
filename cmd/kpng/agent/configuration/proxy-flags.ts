import type { KubeProxyPath } from './kube-proxy-fields.ts'

/** Where `--help` lists a flag. */
export type FlagGroup =
  | 'Node'
  | 'Health, metrics and log'
  | 'API server'
  | 'Connection tracking'
  | 'NodePorts and masquerading'

export interface ProxyFlag {
  /** Without the dashes. */
  readonly name: string
  /** What stands for its value in `--help`; undefined: true or false, which may be left out. */
  readonly value?: string
  /** The field that it sets. */
  readonly path?: KubeProxyPath
  /** undefined: has no effect here, and is only named in `--help`. */
  readonly group?: FlagGroup
  readonly help?: string
  /** May be given several times; the values come together, comma-separated. */
  readonly list?: true
  /** What it does where no field tells; undefined: what its field does. */
  readonly does?: string
  readonly unused?: string
}

/**
 * kube-proxy's flags, but for those that are the source's (--kubeconfig, --master) or say what to do instead of
 * running (--cleanup, --init-only, --version, --write-config-to). Source: cmd/kube-proxy/app/options.go,
 * component-base/logs/api/v1 options.go (1.36).
 */
export const proxyFlags = [
  {
    name: 'hostname-override',
    value: '<name>',
    path: 'hostnameOverride',
    group: 'Node',
    help: 'the same, by kube-proxy’s name',
  },
  {
    name: 'bind-address',
    value: '<ip>',
    path: 'bindAddress',
    group: 'Node',
    help: 'the node’s primary address, instead of what the Node says',
  },
  {
    name: 'oom-score-adj',
    value: '<n>',
    path: 'oomScoreAdj',
    group: 'Node',
    help: 'how readily the kernel kills the agent, -1000 to 1000 (default with kube: -999)',
  },
  {
    name: 'nodeport-addresses',
    value: '<cidrs>',
    path: 'nodePortAddresses',
    group: 'NodePorts and masquerading',
    help: 'CIDRs of node addresses that serve NodePorts, or primary (default: primary)',
    list: true,
  },
  {
    name: 'cluster-cidr',
    value: '<cidrs>',
    path: 'clusterCIDR',
    group: 'NodePorts and masquerading',
    help: 'addresses of pods, one CIDR or one a family',
  },
  {
    name: 'detect-local-mode',
    value: '<mode>',
    path: 'detectLocalMode',
    group: 'NodePorts and masquerading',
    help: 'how pods are told from others: ClusterCIDR (default), NodeCIDR, BridgeInterface, InterfaceNamePrefix',
  },
  {
    name: 'pod-bridge-interface',
    value: '<name>',
    path: 'detectLocal.bridgeInterface',
    group: 'NodePorts and masquerading',
    help: 'the interface of mode BridgeInterface',
  },
  {
    name: 'pod-interface-name-prefix',
    value: '<prefix>',
    path: 'detectLocal.interfaceNamePrefix',
    group: 'NodePorts and masquerading',
    help: 'the names of mode InterfaceNamePrefix',
  },
  {
    name: 'masquerade-all',
    group: 'NodePorts and masquerading',
    help: 'masquerade all traffic to ClusterIPs',
    does: 'masqueradeAll of the section that the mode names',
  },
  {
    name: 'healthz-bind-address',
    value: '<ip:port>',
    path: 'healthzBindAddress',
    group: 'Health, metrics and log',
    help: 'where /healthz and /livez are served (default: 0.0.0.0:10256); empty: nowhere',
  },
  {
    name: 'metrics-bind-address',
    value: '<ip:port>',
    path: 'metricsBindAddress',
    group: 'Health, metrics and log',
    help: 'where /metrics is served (default: 127.0.0.1:10249); empty: nowhere',
  },
  {
    name: 'bind-address-hard-fail',
    path: 'bindAddressHardFail',
    group: 'Health, metrics and log',
    help: 'a health or metrics server that cannot listen ends the agent',
  },
  {
    name: 'healthz-port',
    value: '<port>',
    group: 'Health, metrics and log',
    help: 'deprecated: the port where --healthz-bind-address names none; 0: no server',
    does: 'deprecated: the port where healthzBindAddress names none; 0: no server',
  },
  {
    name: 'metrics-port',
    value: '<port>',
    group: 'Health, metrics and log',
    help: 'deprecated: the port where --metrics-bind-address names none; 0: no server',
    does: 'deprecated: the port where metricsBindAddress names none; 0: no server',
  },
  {
    name: 'iptables-sync-period',
    value: '<time>',
    group: 'Health, metrics and log',
    help: 'a change that waits twice as long makes the node unhealthy (default: 30s)',
    does: 'syncPeriod of the section that the mode names, unless that is ipvs',
  },
  {
    name: 'ipvs-sync-period',
    value: '<time>',
    path: 'ipvs.syncPeriod',
    group: 'Health, metrics and log',
    help: 'the same, in mode ipvs',
  },
  {
    name: 'kube-api-qps',
    value: '<n>',
    path: 'clientConnection.qps',
    group: 'API server',
    help: 'requests per second, on average (default: 5)',
  },
  {
    name: 'kube-api-burst',
    value: '<n>',
    path: 'clientConnection.burst',
    group: 'API server',
    help: 'requests at once (default: 10)',
  },
  { name: 'proxy-mode', value: '<mode>', path: 'mode' },
  { name: 'feature-gates', value: '<gates>', path: 'featureGates', list: true },
  { name: 'profiling', path: 'enableProfiling' },
  { name: 'show-hidden-metrics-for-version', value: '<version>', path: 'showHiddenMetricsForVersion' },
  { name: 'config-sync-period', value: '<time>', path: 'configSyncPeriod' },
  { name: 'kube-api-content-type', value: '<type>', path: 'clientConnection.contentType' },
  {
    name: 'iptables-min-sync-period',
    value: '<time>',
    unused: 'changes are written at once, in batches of some milliseconds',
  },
  { name: 'iptables-masquerade-bit', value: '<n>', path: 'iptables.masqueradeBit' },
  { name: 'iptables-localhost-nodeports', path: 'iptables.localhostNodePorts' },
  { name: 'ipvs-min-sync-period', value: '<time>', path: 'ipvs.minSyncPeriod' },
  { name: 'ipvs-scheduler', value: '<name>', path: 'ipvs.scheduler' },
  { name: 'ipvs-exclude-cidrs', value: '<cidrs>', path: 'ipvs.excludeCIDRs', list: true },
  { name: 'ipvs-strict-arp', path: 'ipvs.strictARP' },
  { name: 'ipvs-tcp-timeout', value: '<time>', path: 'ipvs.tcpTimeout' },
  { name: 'ipvs-tcpfin-timeout', value: '<time>', path: 'ipvs.tcpFinTimeout' },
  { name: 'ipvs-udp-timeout', value: '<time>', path: 'ipvs.udpTimeout' },
  {
    name: 'conntrack-max-per-core',
    value: '<n>',
    path: 'conntrack.maxPerCore',
    group: 'Connection tracking',
    help: 'connections tracked at most, for each processor',
  },
  {
    name: 'conntrack-min',
    value: '<n>',
    path: 'conntrack.min',
    group: 'Connection tracking',
    help: 'connections tracked at most, whatever the processors',
  },
  {
    name: 'conntrack-tcp-timeout-established',
    value: '<time>',
    path: 'conntrack.tcpEstablishedTimeout',
    group: 'Connection tracking',
    help: 'how long an established connection is remembered',
  },
  {
    name: 'conntrack-tcp-timeout-close-wait',
    value: '<time>',
    path: 'conntrack.tcpCloseWaitTimeout',
    group: 'Connection tracking',
    help: 'how long one is that only one side has closed',
  },
  {
    name: 'conntrack-tcp-be-liberal',
    path: 'conntrack.tcpBeLiberal',
    group: 'Connection tracking',
    help: 'packets out of window are not invalid',
  },
  {
    name: 'conntrack-udp-timeout',
    value: '<time>',
    path: 'conntrack.udpTimeout',
    group: 'Connection tracking',
    help: 'how long a UDP flow without answer is remembered',
  },
  {
    name: 'conntrack-udp-timeout-stream',
    value: '<time>',
    path: 'conntrack.udpStreamTimeout',
    group: 'Connection tracking',
    help: 'how long a UDP flow with answers is',
  },
  { name: 'logging-format', value: '<format>', path: 'logging.format' },
  { name: 'log-flush-frequency', value: '<time>', path: 'logging.flushFrequency' },
  { name: 'vmodule', value: '<levels>', path: 'logging.vmodule', list: true },
  { name: 'log-text-split-stream', path: 'logging.options.text.splitStream' },
  { name: 'log-text-info-buffer-size', value: '<n>', path: 'logging.options.text.infoBufferSize' },
  { name: 'log-json-split-stream', path: 'logging.options.json.splitStream' },
  { name: 'log-json-info-buffer-size', value: '<n>', path: 'logging.options.json.infoBufferSize' },
  { name: 'boot-id-file', value: '<files>', unused: 'kube-proxy does not use it either' },
  { name: 'machine-id-file', value: '<files>', unused: 'kube-proxy does not use it either' },
  {
    name: 'v',
    value: '<n>',
    path: 'logging.verbosity',
    group: 'Health, metrics and log',
    help: 'kube-proxy’s verbosity: 0 and 1 info, 2 to 5 debug, 6 and more trace',
  },
] as const satisfies readonly ProxyFlag[]

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S

export type ProxyFlagName = (typeof proxyFlags)[number]['name']

/** What was given on the command line, as text; true: a flag without a value. */
export type ProxyFlags = { readonly [N in ProxyFlagName as CamelCase<N>]?: string | true }

/** `bind-address` is in ProxyFlags.bindAddress. */
export const flagKey = (name: string): keyof ProxyFlags =>
  name.replace(/-(.)/g, (_match, letter: string) => letter.toUpperCase()) as keyof ProxyFlags
