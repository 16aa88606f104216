import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Store } from '@kpng/server'
import { Command } from 'commander'
import { kubeSource } from './agent/agent-source.ts'
import { type KubeFlags, kubeOptions, kubeWarnings } from './kube-options.ts'

const parse = (...argv: string[]): KubeFlags =>
  kubeOptions(new Command()).exitOverride().parse(argv, { from: 'user' }).opts()

test('KPNG’s flags for labels and annotations are taken, and said to have no effect', () => {
  assert.deepEqual(kubeWarnings(parse('--server', 'https://x')), [])
  const flags = parse(
    '--with-service-labels',
    'a,b*',
    '--with-service-labels=c',
    '--with-node-annotations',
    '*',
  )
  assert.deepEqual(flags.withServiceLabels, ['a', 'b*', 'c'])
  assert.deepEqual(
    kubeWarnings(flags).map(it => it.where),
    ['--with-service-labels', '--with-node-annotations'],
  )
})

/** Where the API server is, as problems name it. */
async function server(
  flags: KubeFlags,
  kubeconfig: string,
  env: Record<string, string> = {},
): Promise<string> {
  const before = { ...process.env }
  Object.assign(process.env, env)
  try {
    const open = kubeSource(flags, { kubeconfig, qps: 5, burst: 10 })
    await using source = open({ store: new Store(), nodeName: 'n1', onRead: () => {}, onAnswer: () => {} })
    await source.start()
    for (let i = 0; i < 500 && source.problems().length === 0; i++) await sleep(10)
    return source.problems()[0]?.where ?? ''
  } finally {
    process.env = before
  }
}

test('the kubeconfig: flag, then configuration, then KUBECONFIG; a server’s URL before all', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'kpng-flags-'))
  try {
    const [flag, configured, environment] = [1, 2, 3].map(port => {
      const file = join(directory, `${port}`)
      const cluster = { server: `https://127.0.0.1:${port}` }
      writeFileSync(
        file,
        JSON.stringify({
          'current-context': 'c',
          contexts: [{ name: 'c', context: { cluster: 'c' } }],
          clusters: [{ name: 'c', cluster }],
        }),
      )
      return file
    }) as [string, string, string]
    const env = { KUBECONFIG: environment }
    const where: Array<[flags: KubeFlags, configured: string, port: number]> = [
      [{ kubeconfig: flag }, configured, 1],
      [{ kubeconfig: '' }, configured, 2],
      [{}, configured, 2],
      [{}, '', 3],
      [{ kubeconfig: flag, server: 'https://127.0.0.1:4' }, '', 4],
      [{ kubeconfig: flag, master: 'https://127.0.0.1:5' }, '', 5],
      [{ server: '', master: '' }, '', 3],
    ]
    for (const [flags, config, port] of where)
      assert.equal(await server(flags, config, env), `https://127.0.0.1:${port}/api/v1/services`)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
