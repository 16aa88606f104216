import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { AgentFlags } from '../options.ts'
import { agentSettings } from './agent-settings.ts'

const flags: AgentFlags = {
  instance: 'default',
  socketRecord: 'all',
  protectNodePorts: false,
  maxServicePorts: 16,
  maxFrontends: 16,
  maxEndpoints: 16,
  logLevel: 'info',
}

test('settings: the node name is the host’s, lower case, unless a flag says another', () => {
  assert.equal(agentSettings(flags, ' Worker-1 ').nodeName, 'worker-1')
  assert.equal(agentSettings({ ...flags, nodeName: 'A' }, 'b').nodeName, 'a')
  assert.equal(agentSettings({ ...flags, nodeName: 'a', hostnameOverride: 'c' }, 'b').nodeName, 'c')
})

test('settings: NodePort addresses are primary by default, else CIDRs', () => {
  assert.equal(agentSettings(flags).nodePortAddresses, 'primary')
  assert.equal(agentSettings({ ...flags, nodeportAddresses: ['primary'] }).nodePortAddresses, 'primary')
  assert.deepEqual(agentSettings({ ...flags, nodeportAddresses: ['10.0.0.0/8', '::/0'] }).nodePortAddresses, [
    '10.0.0.0/8',
    '::/0',
  ])
})

for (const [words, message] of [
  [['primary', '10.0.0.0/8'], /stands alone/],
  [['secondary'], /"secondary" is neither/],
  [['10.0.0.1'], /"10.0.0.1" is neither/],
] as const) {
  test(`settings: NodePort addresses ${words.join(',')} are refused`, () => {
    assert.throws(() => agentSettings({ ...flags, nodeportAddresses: words }), { code: 'usage', message })
  })
}

test('settings: a mistake in the configuration file names the file and the field', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'kpng-test-')), 'proxy.yaml')
  writeFileSync(
    file,
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nnodePortAddresses: [bad]\n',
  )
  try {
    assert.throws(() => agentSettings({ ...flags, config: file }), {
      code: 'usage',
      message: `${file}: nodePortAddresses: "bad" is neither a CIDR nor the word primary`,
    })
  } finally {
    rmSync(dirname(file), { recursive: true })
  }
})

test('settings: an empty node name is refused', () => {
  for (const nodeName of ['', '  '])
    assert.throws(() => agentSettings({ ...flags, nodeName }), { code: 'usage', message: /--node-name/ })
})
