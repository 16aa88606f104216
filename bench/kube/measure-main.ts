import { join } from 'node:path'
import { ClusterChanges } from './changes.ts'
import { type ClusterSize, node } from './cluster.ts'
import type { PlaneAccess } from './in-netns.ts'
import { KubeProxy } from './kube-proxy.ts'
import { loadCluster } from './load.ts'
import { measureProxy, type Work } from './measure.ts'
import { type Room, runMeasurement } from './measurement.ts'
import { OurProxy } from './our-proxy.ts'
import type { MeasuredProxy } from './proxy.ts'
import { ProxyHost } from './proxy-host.ts'

/** In the network namespace of an API server: loads the cluster and measures one proxy after the other. */
export interface MeasureOptions extends PlaneAccess {
  readonly size: ClusterSize
  readonly work: Work
  /** Path of kube-proxy; undefined measures ours alone. */
  readonly kubeProxy?: string | undefined
  readonly kubeProxyChanges: number
  readonly profileDirectory?: string | undefined
}

const coldStartOnly: Work = {
  singleChanges: 0,
  pauseMs: 0,
  rollingEndpoints: 0,
  rollingPerSecond: 0,
  bulkChanges: 0,
}

async function measure(options: MeasureOptions, room: Room): Promise<Record<string, unknown>> {
  const { size, work, kubeconfig, profileDirectory } = options
  const { api, compiled, say } = room
  const { services } = size
  const started = performance.now()
  const clusterIPs = await loadCluster(api.send, size)
  const loadSeconds = Math.round((performance.now() - started) / 100) / 10
  say(`${services} Services of ${size.endpoints} endpoints are loaded (${loadSeconds} s)`)
  const changes = new ClusterChanges(api, size, clusterIPs)
  const results: Record<string, unknown> = { loadSeconds }
  const measured = async (
    nodeName: string,
    make: (host: ProxyHost) => MeasuredProxy,
    its: Work,
  ): Promise<void> => {
    const made = room.made.use(new AsyncDisposableStack())
    try {
      const host = made.use(new ProxyHost(nodeName, [new URL(options.url).hostname]))
      await api.send('POST', '/api/v1/nodes', node(nodeName, host.address))
      const proxy = made.use(make(host))
      results[proxy.name] = await measureProxy(proxy, changes, services, its, say)
    } finally {
      await made.disposeAsync()
    }
  }
  const common = { kubeconfig, services, directory: compiled.directory }
  const maxEndpoints = services * size.endpoints
  const ours = { ...common, maxEndpoints, compileCache: join(compiled.directory, 'modules') }
  await measured(
    'node-kpng-first',
    host => new OurProxy(host, { ...ours, name: 'kpng, first start' }),
    coldStartOnly,
  )
  await measured('node-kpng', host => new OurProxy(host, { ...ours, name: 'kpng', profileDirectory }), work)
  const { kubeProxy: program } = options
  if (program === undefined) return results
  const theirs = { ...common, program, nftWatch: compiled.program('nft-watch') }
  const its = { ...work, singleChanges: options.kubeProxyChanges }
  await measured('node-kube-proxy', host => new KubeProxy(host, { ...theirs, name: 'kube-proxy' }), its)
  await measured(
    'node-kube-proxy-eager',
    host => new KubeProxy(host, { ...theirs, name: 'kube-proxy, minSyncPeriod 1ms', minSyncPeriod: '1ms' }),
    { ...its, rollingEndpoints: 0, bulkChanges: 0 },
  )
  return results
}

await runMeasurement(measure)
