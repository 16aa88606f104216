import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Family, NodeView } from '@kpng/api'
import { agentSettings } from './agent-settings.ts'
import { StartLog } from './start-log.ts'
import { recordedLog } from './testing/recorded-log.ts'

const both: Family[] = ['IPv4', 'IPv6']
const node = (...addresses: string[]): NodeView => ({
  name: 'node-a',
  addresses,
  zone: '',
  serviceCIDRs: [],
  eligible: true,
})

function said(flags: object, families: Family[], ...nodes: NodeView[]) {
  const { logger, lines } = recordedLog()
  using log = new StartLog(agentSettings({ instance: 'x', ...flags }, { host: 'node-a' }), families, logger)
  log.begin()
  for (const each of nodes) log.node(each)
  return lines.map(({ level, msg, err }) => `${level} ${msg}${err === undefined ? '' : `: ${err}`}`)
}

test('[KP-12.1] the lines that people look for at the start', () => {
  assert.deepEqual(said({}, both, node('192.0.2.1'), node('192.0.2.2')), [
    'info Version info',
    'info Using ebpf Proxier',
    'info kpng running in dual-stack mode',
    'info Successfully retrieved NodeIPs',
    'info Detect-local-mode set to ClusterCIDR, but no cluster CIDR specified for primary IP family',
  ])
  assert.ok(said({}, ['IPv4']).includes('info kpng running in single-stack mode'))
})

test('nothing is said of a detector that there is, or that needs no CIDR', () => {
  const detects = (flags: object) =>
    said(flags, both, node('192.0.2.1')).some(line => line.includes('Detect-local'))
  assert.equal(detects({ clusterCidr: '10.0.0.0/8' }), false)
  assert.equal(detects({ detectLocalMode: 'NodeCIDR' }), false)
  assert.equal(detects({ clusterCidr: 'fd00::/8' }), true)
})

test('each setting without effect is a warning', () => {
  const lines = said({ conntrackMin: '5', profiling: true }, both).filter(line => line.startsWith('warn'))
  assert.match(lines.join('\n'), /--profiling: has no effect/)
})

test('[KP-10.3.1] settings that the families of the node do not allow end the start', () => {
  assert.throws(() => said({ bindAddress: 'fd00::1' }, ['IPv4']), {
    code: 'usage',
    message: /no support for primary IP family IPv6/,
  })
  assert.throws(() => said({ clusterCidr: 'fd00::/8' }, ['IPv4']), { code: 'usage', message: /IPv4-only/ })
})

test('[KP-10.3.1] what the Node shows later to be a mistake is only logged', () => {
  const lines = said({ clusterCidr: 'fd00::/8' }, both, node(), node('192.0.2.1'))
  assert.ok(
    lines.includes(
      'warn Kube-proxy configuration may be incomplete or incorrect: cluster is IPv4-primary but clusterCIDR contains only IPv6 addresses',
    ),
    lines.join('\n'),
  )
})

test('the family of bindAddress is the primary one, whatever the Node says', () => {
  const lines = said({ clusterCidr: 'fd00::/8', bindAddress: 'fd00::1' }, both, node('192.0.2.1'))
  assert.equal(
    lines.some(line => line.includes('incomplete')),
    false,
  )
})
