import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { countEvents } from '@kpng/observe'
import { AgentMetrics } from './metrics.ts'
import { aSample } from './testing/metrics-sample.ts'

const page = join(import.meta.dirname, '../../../docs/observability.md')

/** Those of the process are one row of the page: they are what Prometheus' client for Node has. */
const ofProcess = /^(nodejs|process)_/

async function table(): Promise<string[]> {
  using metrics = new AgentMetrics({
    ...{ sample: async () => aSample(), families: ['IPv4', 'IPv6'], maxServiceSeries: 1 },
  })
  countEvents(metrics.registry, () => ({ written: 0, dropped: 0, failed: 0, waiting: 0 }))
  const rows = (await metrics.list()).filter(({ name }) => !ofProcess.test(name))
  return rows
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labelNames, help }) => {
      const labels = labelNames.map(label => `\`${label}\``).join(' ')
      return `| \`${name}\` | ${type} | ${labels} | ${help.replace('[ALPHA] ', '')} |`
    })
}

test('[KP-8.3.1] docs/observability.md has a row for each metric, as it is', async () => {
  const rows = readFileSync(page, 'utf8')
    .split('\n')
    .filter(line => /^\| `(kpng|kubeproxy|rest_client)_\w+` \|/.test(line))
  assert.deepEqual(rows, await table())
})

test('every metric of kube-proxy says how stable it is, no metric lacks help', async () => {
  using metrics = new AgentMetrics({ sample: async () => aSample(), families: ['IPv4'], maxServiceSeries: 1 })
  for (const { name, help } of await metrics.list()) {
    assert.ok(help.length > 5, name)
    assert.equal(help.startsWith('[ALPHA] '), /^(kubeproxy|rest_client)_/.test(name), name)
  }
})
