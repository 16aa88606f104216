import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Series } from '../percentiles.ts'
import { pinned } from '../pinned.ts'
import type { ClusterSize } from './cluster.ts'
import { endpointPort, node } from './cluster.ts'
import type { PlaneAccess } from './in-netns.ts'
import { KubeProxy } from './kube-proxy.ts'
import { loadCluster, slicesPath } from './load.ts'
import { type Room, runMeasurement } from './measurement.ts'
import { OurProxy } from './our-proxy.ts'
import { ProxyHost } from './proxy-host.ts'

/** In the network namespace of an API server: nodes with and without a proxy, and connect.c that visits them all. */
export interface ConnectOptions extends PlaneAccess {
  readonly services: number
  readonly rounds: number
  readonly burst: number
  /** Path of kube-proxy. */
  readonly kubeProxy: string
}

const pod = '10.180.0.1'
const serviceCIDR = '10.96.0.0/16'
const runTimeoutMs = 600_000

/** The one Service that is connected to; gives its ClusterIP. */
async function makeTarget({ api }: Room): Promise<string> {
  const name = 'target'
  const ports = [{ name: 'http', port: 80, targetPort: endpointPort, protocol: 'TCP' }]
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } }
  const made = await api.send('POST', '/api/v1/namespaces/default/services', service)
  await api.send('POST', slicesPath('default'), {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: endpointPort, protocol: 'TCP' }],
    endpoints: [{ addresses: [pod], conditions: { ready: true } }],
  })
  return (made as { spec: { clusterIP: string } }).spec.clusterIP
}

async function measure(options: ConnectOptions, room: Room): Promise<Series> {
  const { kubeconfig, services, kubeProxy: program } = options
  const { api, made, compiled, say } = room
  const size: ClusterSize = { services, endpoints: 2 }
  await loadCluster(api.send, size)
  const clusterIP = await makeTarget(room)
  say(`${services} Services are loaded`)
  const sink = compiled.program('sink')
  /** A node on which the pod answers at its loopback: there is nothing between client and server but the proxy. */
  const makeHost = async (nodeName: string): Promise<ProxyHost> => {
    const host = made.use(new ProxyHost(nodeName, [new URL(options.url).hostname, serviceCIDR]))
    host.host.ip(`addr add ${pod}/32 dev lo`)
    const server = host.host.start([...pinned(1), sink, pod, `${endpointPort}`])
    made.defer(() => void server.kill('SIGKILL'))
    await new Promise(resolve => server.stdout?.once('data', resolve))
    await api.send('POST', '/api/v1/nodes', node(nodeName, host.address))
    return host
  }
  const common = { kubeconfig, services, directory: compiled.directory }
  const maxEndpoints = 131_072
  const alone = await makeHost('node-alone')
  const theirHost = await makeHost('node-kube-proxy')
  const ourHost = await makeHost('node-kpng')
  const leanHost = await makeHost('node-kpng-lean')
  const none = join(alone.host.cgroup, 'none')
  mkdirSync(none)
  const theirs = made.use(
    new KubeProxy(theirHost, {
      ...common,
      name: 'kube-proxy',
      program,
      nftWatch: compiled.program('nft-watch'),
    }),
  )
  const ours = made.use(new OurProxy(ourHost, { ...common, maxEndpoints }))
  const lean = made.use(
    new OurProxy(leanHost, { ...common, maxEndpoints, flags: ['--socket-record', 'udp'] }),
  )
  for (const proxy of [theirs, ours, lean]) {
    await proxy.start()
    await proxy.verify(new Map([[clusterIP, [pod]]]))
    say(`${proxy.name} has all Services`)
  }
  const target = (name: string, cgroup: string, { host }: ProxyHost, to: 'pod' | 'service'): string =>
    `${name}=${cgroup},${host.name}@${to === 'pod' ? `${pod}:${endpointPort}` : `${clusterIP}:80`}`
  const targets = [
    target('direct_alone', none, alone, 'pod'),
    target('direct_kube_proxy', none, theirHost, 'pod'),
    target('service_kube_proxy', none, theirHost, 'service'),
    target('direct_kpng', ours.cgroup, ourHost, 'pod'),
    target('service_kpng', ours.cgroup, ourHost, 'service'),
    target('direct_kpng_no_record', lean.cgroup, leanHost, 'pod'),
    target('service_kpng_no_record', lean.cgroup, leanHost, 'service'),
  ]
  const command = [
    ...pinned(0),
    compiled.program('connect'),
    `${options.rounds}`,
    `${options.burst}`,
    ...targets,
  ]
  const { exitCode, stdout, stderr } = await alone.host.run(command, none, runTimeoutMs)
  if (exitCode !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Series
}

await runMeasurement(measure)
