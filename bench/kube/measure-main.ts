import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Api } from './api.ts'
import { ClusterChanges } from './changes.ts'
import { type ClusterSize, node } from './cluster.ts'
import { KubeProxy } from './kube-proxy.ts'
import { loadCluster } from './load.ts'
import { measureProxy, type Work } from './measure.ts'
import { OurProxy } from './our-proxy.ts'
import type { MeasuredProxy } from './proxy.ts'
import { ProxyHost } from './proxy-host.ts'

/**
 * Runs in the network namespace of an API server: `measure-main.ts OPTIONS`, JSON. Loads the cluster, measures one proxy
 * after the other and prints what has come out, JSON; what is going on goes to standard error.
 */
export interface MeasureOptions {
  readonly url: string
  /** Paths of PEM files. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
  /** Address of the API server, for routes. */
  readonly address: string
  /** With the rights of a proxy. */
  readonly kubeconfig: string
  readonly size: ClusterSize
  readonly work: Work
  /** Path of kube-proxy; undefined measures ours alone. */
  readonly kubeProxy?: string | undefined
  readonly kubeProxyChanges: number
  readonly profileDirectory?: string | undefined
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** What has to be taken down whatever happens. */
const directory = mkdtempSync(join(tmpdir(), 'kpng-bench-'))
let open = new AsyncDisposableStack()

async function measure(options: MeasureOptions): Promise<Record<string, unknown>> {
  const { size, work, kubeconfig, url } = options
  try {
    const nftWatch = join(directory, 'nft-watch')
    execFileSync('gcc', ['-O2', '-Wall', '-o', nftWatch, join(import.meta.dirname, '../nft-watch.c')])
    using api = new Api({
      url,
      ca: readFileSync(options.ca, 'utf8'),
      certificate: readFileSync(options.certificate, 'utf8'),
      key: readFileSync(options.key, 'utf8'),
    })
    const started = performance.now()
    const clusterIPs = await loadCluster(api.send, size)
    const loadSeconds = Math.round((performance.now() - started) / 100) / 10
    say(`${size.services} Services of ${size.endpoints} endpoints are loaded (${loadSeconds} s)`)
    const changes = new ClusterChanges(api, size, clusterIPs)
    const results: Record<string, unknown> = { loadSeconds }
    const measured = async (
      nodeName: string,
      start: (host: ProxyHost) => MeasuredProxy,
      its: Work,
    ): Promise<void> => {
      await using made = new AsyncDisposableStack()
      open = made
      const host = made.use(new ProxyHost(nodeName, [options.address]))
      await api.send('POST', '/api/v1/nodes', node(nodeName, host.address))
      const proxy = made.use(start(host))
      results[proxy.name] = await measureProxy(proxy, changes, size.services, its, say)
    }
    const services = size.services
    await measured(
      'node-kpng',
      host =>
        new OurProxy(host, {
          ...{ kubeconfig, services, directory, profileDirectory: options.profileDirectory },
          maxEndpoints: services * size.endpoints,
        }),
      work,
    )
    const program = options.kubeProxy
    if (program !== undefined) {
      const common = { program, nftWatch, kubeconfig, services, directory }
      const its = { ...work, singleChanges: options.kubeProxyChanges }
      await measured('node-kube-proxy', host => new KubeProxy(host, { ...common, name: 'kube-proxy' }), its)
      await measured(
        'node-kube-proxy-eager',
        host =>
          new KubeProxy(host, { ...common, name: 'kube-proxy, minSyncPeriod 1ms', minSyncPeriod: '1ms' }),
        { ...its, rollingEndpoints: 0, bulkChanges: 0 },
      )
    }
    return results
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

// Who reads them may have ended.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(
    signal,
    () =>
      void open.disposeAsync().finally(() => {
        rmSync(directory, { recursive: true, force: true })
        process.exit(1)
      }),
  )

const results = await measure(JSON.parse(process.argv[2] ?? '') as MeasureOptions)
process.stdout.write(`${JSON.stringify(results)}\n`)
