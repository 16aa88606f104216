import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { describeMistake } from './describe-mistake.ts'
import { type ConfigurationInput, effectiveConfiguration } from './effective-configuration.ts'
import { printValues } from './fields.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const ownHead = 'apiVersion: config.kpng.io/v1alpha1\nkind: AgentConfiguration\n'
const file = 'c.yaml'

const read = (body: string, input: ConfigurationInput = {}) =>
  effectiveConfiguration({ file, text: head + body, ...input })
const kubeProxy = (body: string, input: ConfigurationInput = {}) => read(body, input).configuration.kubeProxy

function mistakes(body: string, input: ConfigurationInput = {}): string[] {
  try {
    read(body, input)
  } catch (error) {
    assert.equal((error as { code: string }).code, 'usage')
    return (error as Error).message.split('\n')
  }
  return []
}

const warnings = (body: string, input: ConfigurationInput = {}): string[] =>
  read(body, input).warnings.map(describeMistake)

const testdata = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8')

test('[KP-10.1.1] every field and its default are kube-proxy’s own', () => {
  const printed = printValues(kubeProxyFields, kubeProxy(''))
  const real = parse(testdata('kube-proxy-1.36-defaults.yaml'))
  // What kube-proxy writes is what it has made of its defaults: the mode chosen, the periods of other modes dropped.
  real.mode = ''
  real.nftables.syncPeriod = '30s'
  real.nftables.minSyncPeriod = '1s'
  real.ipvs.syncPeriod = '30s'
  assert.deepEqual(printed, real)
})

test('[KP-10.1.1] what kubeadm writes, zeros and nulls for defaults, is read without a word', () => {
  const { configuration, warnings: told } = effectiveConfiguration({ file, text: testdata('kubeadm.yaml') })
  assert.deepEqual(told, [])
  assert.deepEqual(printValues(kubeProxyFields, configuration.kubeProxy), {
    ...printValues(kubeProxyFields, kubeProxy('')),
    clusterCIDR: '10.244.0.0/16',
    clientConnection: {
      ...kubeProxy('').clientConnection,
      kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
    },
  })
})

test('[KP-10.1.1] a document in JSON is one in YAML', () => {
  const text = JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    iptables: { syncPeriod: '1m' },
  })
  assert.equal(effectiveConfiguration({ file, text }).configuration.kubeProxy.iptables.syncPeriod, 60_000)
})

for (const [bindAddress, healthz, metrics] of [
  ['', '0.0.0.0:10256', '127.0.0.1:10249'],
  ['10.0.0.1', '0.0.0.0:10256', '127.0.0.1:10249'],
  ['"::"', '[::]:10256', '[::1]:10249'],
  ['fd00::1', '[::]:10256', '[::1]:10249'],
] as const) {
  test(`[KP-10.1.1] with bindAddress ${bindAddress} health and metrics are served on ${healthz} and ${metrics}`, () => {
    const { healthzBindAddress, metricsBindAddress } = kubeProxy(`bindAddress: ${bindAddress}\n`)
    assert.deepEqual([healthzBindAddress, metricsBindAddress], [healthz, metrics])
  })
}

test('[KP-10.1.1] a port is appended where an address has none', () => {
  const body = 'healthzBindAddress: 10.0.0.1\nmetricsBindAddress: fd00::1\n'
  assert.equal(kubeProxy(body).healthzBindAddress, '10.0.0.1:10256')
  assert.equal(kubeProxy(body).metricsBindAddress, '[fd00::1]:10249')
})

test('[KP-10.1.4] all mistakes are told at once, each with its line and path', () => {
  const body = `bindAddres: 10.0.0.1
mode: 3
iptables:
  syncPeriod: 30
  masqueradeBit: 99
  masqueradeBit: 14
  colour: red
nodePortAddresses: [primary, 5]
featureGates: {A: true, B: maybe}
conntrack: off
oomScoreAdj: 2000
`
  assert.deepEqual(mistakes(body), [
    'c.yaml:3:1: bindAddres: unknown field',
    'c.yaml:4:7: mode: must be a string, is 3',
    'c.yaml:6:15: iptables.syncPeriod: must be a duration such as 30s or 1m30s, is 30'.replace(
      '6:15',
      '6:15',
    ),
    'c.yaml:8:3: iptables.masqueradeBit: is there twice',
    'c.yaml:9:3: iptables.colour: unknown field',
    'c.yaml:10:30: nodePortAddresses[1]: must be a string, is 5',
    'c.yaml:11:28: featureGates.B: must be true or false, is "maybe"',
    'c.yaml:12:12: conntrack: must be a mapping of fields',
    'c.yaml:7:3: iptables.masqueradeBit: must be from 0 to 31, is 99',
    'c.yaml:13:1: oomScoreAdj: must be from -1000 to 1000, is 2000',
  ])
})

test('[KP-10.1.4] text that is no YAML, no mapping, or another document is refused', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => effectiveConfiguration({ file, text }), { code: 'usage', message })
  refused('a: [', /^c\.yaml:1:\d+: /)
  refused('[]', /^c\.yaml: must be a mapping/)
  refused('', /^c\.yaml: must be a mapping/)
  refused(`${head}---\n${head}`, /^c\.yaml:3:\d+: .*multiple documents/)
  refused('kind: KubeProxyConfiguration', /c\.yaml: apiVersion: must be kubeproxy\.config\.k8s\.io\/v1alpha1/)
  refused('apiVersion: v1\nkind: Pod\n', /c\.yaml:2:7: kind: must be KubeProxyConfiguration, is "Pod"/)
  refused(head.replace('v1alpha1', 'v1'), /c\.yaml:1:13: apiVersion: must be/)
})

for (const [body, message] of [
  ['bindAddress: node-1', 'bindAddress: "node-1" is not an IP address'],
  ['healthzBindAddress: localhost:1', 'healthzBindAddress: must be IP:port, is "localhost:1"'],
  ['healthzBindAddress: ":10256"', 'healthzBindAddress: must be IP:port, is ":10256"'],
  ['healthzBindAddress: 1.2.3.4:0', 'healthzBindAddress: the port must be from 1 to 65535, is "1.2.3.4:0"'],
  [
    'metricsBindAddress: "[::1]:70000"',
    'metricsBindAddress: the port must be from 1 to 65535, is "[::1]:70000"',
  ],
  [
    'metricsBindAddress: 1.2.3.4:http',
    'metricsBindAddress: the port must be from 1 to 65535, is "1.2.3.4:http"',
  ],
  ['iptables: {syncPeriod: -1s}', 'iptables.syncPeriod: must be more than 0'],
  ['iptables: {minSyncPeriod: -1s}', 'iptables.minSyncPeriod: must not be negative'],
  [
    'iptables: {minSyncPeriod: 1m}',
    'iptables.syncPeriod: must be at least iptables.minSyncPeriod, which is 1m0s',
  ],
  ['mode: nftables\nnftables: {syncPeriod: -1s}', 'nftables.syncPeriod: must be more than 0'],
  ['mode: ipvs\nipvs: {syncPeriod: -1s}', 'ipvs.syncPeriod: must be more than 0'],
  ['mode: ipvs\nipvs: {tcpTimeout: -1s}', 'ipvs.tcpTimeout: must not be negative'],
  ['mode: ipvs\nipvs: {excludeCIDRs: [x]}', 'ipvs.excludeCIDRs[0]: "x" is not a CIDR'],
  ['configSyncPeriod: -1s', 'configSyncPeriod: must be more than 0'],
  [
    'nodePortAddresses: [primary, 10.0.0.0/8]',
    'nodePortAddresses[0]: the word primary stands alone, without CIDRs',
  ],
  [
    'nodePortAddresses: [10.0.0.1]',
    'nodePortAddresses[0]: "10.0.0.1" is neither a CIDR nor the word primary',
  ],
  ['clusterCIDR: 10.0.0.1', 'clusterCIDR: "10.0.0.1" is not a CIDR'],
  ['clusterCIDR: "10.0.0.0/8,10.1.0.0/16"', 'clusterCIDR: must be one CIDR, or one of each family'],
  ['clusterCIDR: "10.0.0.0/8,fd00::/8,fe00::/8"', 'clusterCIDR: must be one CIDR, or one of each family'],
  ['iptables: {masqueradeBit: 32}', 'iptables.masqueradeBit: must be from 0 to 31, is 32'],
  ['mode: nftables\nnftables: {masqueradeBit: -1}', 'nftables.masqueradeBit: must be from 0 to 31, is -1'],
  ['oomScoreAdj: -1001', 'oomScoreAdj: must be from -1000 to 1000, is -1001'],
  ['conntrack: {min: -1}', 'conntrack.min: must not be negative'],
  ['conntrack: {tcpEstablishedTimeout: -1s}', 'conntrack.tcpEstablishedTimeout: must not be negative'],
  ['mode: userspace', 'mode: must be iptables, ipvs, nftables or empty, is "userspace"'],
  [
    'detectLocalMode: Guess',
    'detectLocalMode: must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix, is "Guess"',
  ],
  [
    'detectLocalMode: BridgeInterface',
    'detectLocal.bridgeInterface: must be set in detectLocalMode BridgeInterface',
  ],
  [
    'detectLocalMode: InterfaceNamePrefix',
    'detectLocal.interfaceNamePrefix: must be set in detectLocalMode InterfaceNamePrefix',
  ],
  ['clientConnection: {burst: -1}', 'clientConnection.burst: must not be negative'],
  [
    'showHiddenMetricsForVersion: old',
    'showHiddenMetricsForVersion: must be a version such as 1.35, is "old"',
  ],
  ['logging: {format: xml}', 'logging.format: must be text or json, is "xml"'],
  ['logging: {flushFrequency: -1}', 'logging.flushFrequency: must be more than 0'],
  [
    'logging: {vmodule: [{filePattern: "a=b", verbosity: 1}]}',
    'logging.vmodule[0].filePattern: must not contain = and ,',
  ],
  ['logging: {vmodule: [{verbosity: 1}]}', 'logging.vmodule[0].filePattern: must be set'],
  ['logging: {vmodule: [{filePattern: a, level: 1}]}', 'logging.vmodule[0].level: unknown field'],
  [
    'logging: {options: {json: {infoBufferSize: 1Ki}}}',
    'logging.options.json.infoBufferSize: needs the feature gate LoggingAlphaOptions',
  ],
] as const) {
  test(`[KP-10.1.3] refused: ${body.replace('\n', ', ')}`, () => {
    const found = mistakes(`${body}\n`)
    assert.deepEqual(
      found.map(line => line.replace(/^c\.yaml(:\d+:\d+)?: /, '')),
      [message],
    )
    assert.match(found[0] ?? '', /^c\.yaml/)
  })
}

for (const body of [
  'mode: iptables\nnftables: {masqueradeBit: 99, syncPeriod: -1s}',
  'ipvs: {excludeCIDRs: [x], tcpTimeout: -1s}',
  'detectLocalMode: NodeCIDR\nclusterCIDR: nonsense',
  'mode: nftables\nnftables: {minSyncPeriod: 0s}',
  'iptables: {masqueradeBit: 0}',
  'oomScoreAdj: 0',
  'clusterCIDR: "fd00::/48,010.0.0.0/8"',
  'featureGates: {LoggingAlphaOptions: true}\nlogging: {options: {text: {infoBufferSize: 1Ki}}}',
  'logging: {options: {text: {splitStream: true}}}',
  'healthzBindAddress: 10.0.0.1:+80',
]) {
  test(`[KP-10.1.3] not refused, as kube-proxy does not: ${body.replace('\n', ', ')}`, () =>
    assert.deepEqual(mistakes(`${body}\n`), []))
}

test('[KP-10.1.1] zero is a value where only leaving it out means the default', () => {
  const { iptables, oomScoreAdj, conntrack } = kubeProxy(
    'iptables: {masqueradeBit: 0}\noomScoreAdj: 0\nconntrack: {min: 0, tcpCloseWaitTimeout: 0s}\n',
  )
  assert.deepEqual(
    [iptables.masqueradeBit, oomScoreAdj, conntrack.min, conntrack.tcpCloseWaitTimeout],
    [0, 0, 0, 0],
  )
})

test('[KP-10.2.1] a flag wins over the file, and the file over the default', () => {
  const body = 'clusterCIDR: 10.0.0.0/8\nbindAddress: 10.0.0.1\n'
  const { clusterCIDR, bindAddress, oomScoreAdj } = kubeProxy(body, { proxy: { clusterCidr: '10.1.0.0/16' } })
  assert.deepEqual([clusterCIDR, bindAddress, oomScoreAdj], ['10.1.0.0/16', '10.0.0.1', -999])
})

test('[KP-10.2.1] mistakes of flags and of the file are told together', () => {
  assert.deepEqual(
    mistakes('mode: x\n', {
      proxy: {
        oomScoreAdj: 'low',
        bindAddress: 'here',
        v: 'high',
        healthzPort: '-1',
        masqueradeAll: 'perhaps',
      },
    }),
    [
      '--oom-score-adj: must be a whole number of 32 bits, is "low"',
      '-v: must be a whole number, 0 or more, is "high"',
      '--masquerade-all: must be true or false, is "perhaps"',
      '--healthz-port: must be a port, or 0, is "-1"',
      'c.yaml:3:1: mode: must be iptables, ipvs, nftables or empty, is "x"',
      '--bind-address: "here" is not an IP address',
    ],
  )
})

for (const [proxy, healthz] of [
  [{ healthzBindAddress: '' }, ''],
  [{ healthzBindAddress: '10.0.0.1' }, '10.0.0.1:10256'],
  [{ healthzPort: '0' }, ''],
  [{ healthzPort: '0', healthzBindAddress: '10.0.0.1:80' }, ''],
  [{ healthzPort: '81' }, '0.0.0.0:81'],
  [{ healthzPort: '81', healthzBindAddress: '10.0.0.1' }, '10.0.0.1:81'],
  [{ healthzPort: '81', healthzBindAddress: '10.0.0.1:80' }, '10.0.0.1:80'],
  [{ healthzPort: '81', bindAddress: 'fd00::1' }, '[::]:81'],
] as const) {
  test(`[KP-10.2.1] health is served at "${healthz}" with ${JSON.stringify(proxy)}`, () =>
    assert.equal(kubeProxy('', { proxy }).healthzBindAddress, healthz))
}

for (const [mode, section] of [
  ['', 'iptables'],
  ['iptables', 'iptables'],
  ['ipvs', 'iptables'],
  ['nftables', 'nftables'],
] as const) {
  test(`[KP-10.1.2 KP-10.2.1] --masquerade-all is masqueradeAll of section ${section} in mode "${mode}"`, () => {
    const { configuration, warnings: told } = read(`mode: "${mode}"\n`, { proxy: { masqueradeAll: true } })
    assert.equal(configuration.kubeProxy[section].masqueradeAll, true)
    assert.ok(told.every(({ where }) => where !== '--masquerade-all'))
  })
}

test('[KP-10.1.2 KP-10.2.1] --iptables-sync-period serves nftables too, but not ipvs', () => {
  const proxy = { iptablesSyncPeriod: '1m', iptablesMinSyncPeriod: '2s' }
  assert.equal(kubeProxy('mode: nftables\n', { proxy }).nftables.syncPeriod, 60_000)
  assert.equal(kubeProxy('mode: nftables\n', { proxy }).nftables.minSyncPeriod, 2_000)
  assert.equal(kubeProxy('', { proxy }).iptables.syncPeriod, 60_000)
  assert.equal(kubeProxy('mode: ipvs\n', { proxy }).ipvs.syncPeriod, 30_000)
})

test('a field without effect that is not its default is named once, with the reason', () => {
  assert.deepEqual(warnings('iptables: {masqueradeBit: 15}\nnftables: {masqueradeBit: 14}\n'), [
    'c.yaml:3:12: iptables.masqueradeBit: has no effect: no packet is marked: masquerading is decided for each connection',
  ])
})

test('[KP-10.2.1] a flag without effect is named once, with the reason, whatever its value', () => {
  const proxy = {
    proxyMode: 'nftables',
    iptablesMinSyncPeriod: '1s',
    bootIdFile: '/x',
  }
  assert.deepEqual(warnings('', { proxy }), [
    '--proxy-mode: has no effect: there is one datapath, with the rules of mode nftables; the mode says whose masqueradeAll and periods count',
    '--iptables-min-sync-period: has no effect: changes are written at once, in batches of some milliseconds',
    '--boot-id-file: has no effect: kube-proxy does not use it either',
  ])
})

test('what is set for a mode that is not chosen is named', () => {
  assert.deepEqual(warnings('nftables: {masqueradeAll: true}\n'), [
    'c.yaml:3:12: nftables.masqueradeAll: has no effect: in mode "" (as iptables) iptables.masqueradeAll counts',
  ])
  assert.deepEqual(warnings('iptables: {localhostNodePorts: false}\n'), [])
})

test('an AgentConfiguration has the agent’s own settings and a KubeProxyConfiguration inside', () => {
  const text = `${ownHead}maxEndpoints: 500\nsocketRecord: udp\nkubeProxy:\n  clusterCIDR: 10.0.0.0/8\n`
  const { configuration } = effectiveConfiguration({ file, text, own: { socketRecord: 'all' } })
  assert.deepEqual(
    [configuration.maxEndpoints, configuration.socketRecord, configuration.kubeProxy.clusterCIDR],
    [500, 'all', '10.0.0.0/8'],
  )
})

test('mistakes in an AgentConfiguration have the path from its root', () => {
  const text = `${ownHead}maxEndpoints: 1\nlogLevel: loud\nkubeProxy:\n  kind: Pod\n  mode: x\n  y: z\n`
  assert.throws(
    () => effectiveConfiguration({ file, text }),
    (error: Error) => {
      assert.deepEqual(error.message.split('\n'), [
        'c.yaml:3:15: maxEndpoints: must be a whole number from 16 to 67108864, is 1',
        'c.yaml:4:11: logLevel: must be one of , trace, debug, info, warn, error, is "loud"',
        'c.yaml:6:9: kubeProxy.kind: must be KubeProxyConfiguration, is "Pod"',
        'c.yaml:8:3: kubeProxy.y: unknown field',
        'c.yaml:7:3: kubeProxy.mode: must be iptables, ipvs, nftables or empty, is "x"',
      ])
      return true
    },
  )
})

test('a file that cannot be read is told by name', () => {
  assert.throws(() => effectiveConfiguration({ file: '/nonexistent/c.yaml' }), {
    code: 'usage',
    message: 'configuration /nonexistent/c.yaml cannot be read',
  })
})
