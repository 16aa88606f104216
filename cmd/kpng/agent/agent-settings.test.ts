import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { AgentFlags } from '../options.ts'
import { type AgentSettings, agentSettings, configurationText } from './agent-settings.ts'

const flags: AgentFlags = { instance: 'default' }
const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'

/** The settings with a configuration file. */
function settingsWith(text: string, more: Partial<AgentFlags> = {}): AgentSettings {
  const config = join(mkdtempSync(join(tmpdir(), 'kpng-test-')), 'proxy.yaml')
  writeFileSync(config, text)
  try {
    return agentSettings({ ...flags, ...more, config }, { host: 'host' })
  } finally {
    rmSync(dirname(config), { recursive: true })
  }
}

test('[KP-1.3] the node name is the host’s, lower case and trimmed, unless a flag or the file says another', () => {
  assert.equal(agentSettings(flags, { host: ' Worker-1 ' }).nodeName, 'worker-1')
  assert.equal(agentSettings({ ...flags, nodeName: 'A' }).nodeName, 'a')
  assert.equal(agentSettings({ ...flags, nodeName: 'a', hostnameOverride: ' C ' }).nodeName, 'c')
  assert.equal(agentSettings({ ...flags, hostnameOverride: '' }, { host: 'b' }).nodeName, 'b')
  assert.equal(settingsWith(`${head}hostnameOverride: D\n`).nodeName, 'd')
  assert.equal(settingsWith(`${head}hostnameOverride: D\n`, { hostnameOverride: 'e' }).nodeName, 'e')
})

test('[KPNG-C2] an empty node name is refused', () => {
  for (const name of ['', '  '])
    assert.throws(() => agentSettings({ ...flags, nodeName: name }), {
      code: 'usage',
      message: /--node-name/,
    })
  assert.throws(() => agentSettings({ ...flags, hostnameOverride: ' ' }), { code: 'usage' })
})

test('[KP-5.1 KP-13.4] NodePort addresses are primary by default, else CIDRs', () => {
  assert.equal(agentSettings(flags).nodePortAddresses, 'primary')
  assert.equal(agentSettings({ ...flags, nodeportAddresses: 'primary' }).nodePortAddresses, 'primary')
  assert.deepEqual(agentSettings({ ...flags, nodeportAddresses: '10.0.0.0/8, ::/0' }).nodePortAddresses, [
    '10.0.0.0/8',
    '::/0',
  ])
  assert.deepEqual(settingsWith(`${head}nodePortAddresses: [10.0.0.0/8]\n`).nodePortAddresses, ['10.0.0.0/8'])
})

for (const [words, message] of [
  ['primary,10.0.0.0/8', /--nodeport-addresses: the word primary stands alone/],
  ['secondary', /--nodeport-addresses: "secondary" is neither/],
  ['10.0.0.1', /--nodeport-addresses: "10.0.0.1" is neither/],
] as const) {
  test(`[KP-5.1 KP-10.1.3] NodePort addresses ${words} are refused`, () => {
    assert.throws(() => agentSettings({ ...flags, nodeportAddresses: words }), { code: 'usage', message })
  })
}

test('[KP-10.1.1] servers listen on canonical addresses', () => {
  const { healthzBindAddress, metricsBindAddress } = agentSettings({
    ...flags,
    healthzBindAddress: '[FD00:0::1]:80',
    metricsBindAddress: '010.0.0.1',
  })
  assert.deepEqual(healthzBindAddress, { address: 'fd00::1', port: 80 })
  assert.deepEqual(metricsBindAddress, { address: '10.0.0.1', port: 10_249 })
})

test('[KP-10.2.1] an empty address, and port 0, turn a server off', () => {
  assert.equal(agentSettings({ ...flags, healthzBindAddress: '' }).healthzBindAddress, undefined)
  assert.equal(agentSettings({ ...flags, metricsPort: '0' }).metricsBindAddress, undefined)
})

for (const mode of ['', 'iptables', 'ipvs', 'nftables'] as const) {
  test(`[KP-10.1.2] masqueradeAll and periods are those of the section for mode "${mode}"`, () => {
    const text = `${head}mode: "${mode}"
iptables: {masqueradeAll: ${mode !== 'nftables'}, syncPeriod: 41s, minSyncPeriod: 1s}
nftables: {masqueradeAll: ${mode === 'nftables'}, syncPeriod: 42s, minSyncPeriod: 2s}
ipvs: {syncPeriod: 43s, minSyncPeriod: 3s}
`
    const { masqueradeAll, syncPeriodMs, minSyncPeriodMs } = settingsWith(text)
    const n = mode === 'ipvs' ? 3 : mode === 'nftables' ? 2 : 1
    assert.deepEqual([masqueradeAll, syncPeriodMs, minSyncPeriodMs], [true, 40_000 + n * 1_000, n * 1_000])
  })
}

for (const [given, detector, cidrs] of [
  [{}, undefined, []],
  [{ clusterCidr: '10.0.0.0/8,FD00::/16' }, 'ClusterCIDR', ['10.0.0.0/8', 'fd00::/16']],
  [{ detectLocalMode: 'NodeCIDR', clusterCidr: '10.0.0.0/8' }, 'NodeCIDR', []],
  [{ detectLocalMode: 'BridgeInterface', podBridgeInterface: 'cni0' }, 'BridgeInterface', []],
  [{ detectLocalMode: 'InterfaceNamePrefix', podInterfaceNamePrefix: 'veth' }, 'InterfaceNamePrefix', []],
] as const) {
  test(`the local detector is ${detector} with ${JSON.stringify(given)}`, () => {
    const { localDetector, clusterCIDRs } = agentSettings({ ...flags, ...given })
    assert.deepEqual([localDetector, clusterCIDRs], [detector, cidrs])
  })
}

for (const [given, level] of [
  [{}, 'info'],
  [{ v: '1' }, 'info'],
  [{ v: '2' }, 'debug'],
  [{ v: '=5' }, 'debug'],
  [{ v: '6' }, 'trace'],
  [{ v: '10', logLevel: 'warn' }, 'warn'],
] as const) {
  test(`[KP-10.2.1 KPNG-C13] the log level is ${level} with ${JSON.stringify(given)}`, () =>
    assert.equal(agentSettings({ ...flags, ...given }).logLevel, level))
}

test('the log level of a file gives way to -v', () => {
  const text = 'apiVersion: config.kpng.io/v1alpha1\nkind: AgentConfiguration\nlogLevel: error\n'
  assert.equal(settingsWith(text).logLevel, 'error')
  assert.equal(settingsWith(text, { v: '4' }).logLevel, 'debug')
})

test('[KP-10.3.1] oom_score_adj is kube-proxy’s on a node of a cluster, else only what is asked for', () => {
  assert.equal(agentSettings(flags).oomScoreAdj, undefined)
  assert.equal(agentSettings(flags, { ofCluster: true }).oomScoreAdj, -999)
  assert.equal(agentSettings({ ...flags, oomScoreAdj: '5' }).oomScoreAdj, 5)
  assert.equal(settingsWith(`${head}oomScoreAdj: 0\n`).oomScoreAdj, 0)
})

test('[KP-1.10] the feature gate AllowServiceExternalIPs turns externalIPs off; other gates have no effect', () => {
  assert.equal(agentSettings(flags).externalIPs, true)
  assert.equal(agentSettings({ ...flags, featureGates: 'AllowServiceExternalIPs=false' }).externalIPs, false)
  const gates = (text: string) => settingsWith(`${head}featureGates: ${text}\n`)
  const { externalIPs, warnings } = gates('{AllowServiceExternalIPs: false}')
  assert.deepEqual([externalIPs, warnings], [false, []])
  assert.match(gates('{Other: true}').warnings[0]?.message ?? '', /only AllowServiceExternalIPs/)
})

test('what is written by --write-config-to is read back as it was', () => {
  const given = { ...flags, clusterCidr: '10.0.0.0/8', iptablesSyncPeriod: '1m', featureGates: 'A=true' }
  const text = configurationText(given)
  assert.equal(parse(text).clusterCIDR, '10.0.0.0/8')
  assert.equal(parse(text).iptables.syncPeriod, '1m0s')
  const { configuration, syncPeriodMs } = settingsWith(text)
  assert.deepEqual(configuration, agentSettings(given).configuration)
  assert.equal(syncPeriodMs, 60_000)
})

test('settings carry the file as it was read, for what changes later', () => {
  const text = `${head}mode: nftables\n`
  const { configurationFile, warnings } = settingsWith(text)
  assert.equal(configurationFile?.text, text)
  assert.deepEqual(
    warnings.map(({ field }) => field),
    ['mode'],
  )
})

test('of connection tracking only what a flag or the file gives is set', () => {
  const names = (settings: { kernelSettings: readonly { path: string }[] }) =>
    settings.kernelSettings.map(({ path }) => path.replace(/.*\//, ''))
  assert.deepEqual(names(agentSettings(flags)), [])
  assert.deepEqual(
    names(settingsWith(`${head}conntrack: {tcpCloseWaitTimeout: 1h0m0s, maxPerCore: null}\n`)),
    ['nf_conntrack_tcp_timeout_close_wait'],
  )
  assert.deepEqual(names(agentSettings({ ...flags, conntrackTcpTimeoutEstablished: '2h' })), [
    'nf_conntrack_tcp_timeout_established',
  ])
})
