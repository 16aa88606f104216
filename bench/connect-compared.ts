import { ControlPlane } from '@kpng/lab'
import { kubeProxyProgram } from './kube/binaries.ts'
import type { ConnectOptions } from './kube/connect-main.ts'
import { accessOf, runInNetns } from './kube/in-netns.ts'
import type { Series } from './percentiles.ts'
import { type Report, ratio } from './report.ts'

export interface ConnectComparedOptions {
  readonly services: number
  readonly rounds: number
  readonly burst: number
}

/**
 * connect(2) through a ClusterIP and to the pod itself: on a node without a proxy, with the real kube-proxy in nftables
 * mode, with ours, with and without socket records. One process moves between them, so that all see the same noise.
 */
export async function connectCompared(options: ConnectComparedOptions): Promise<Report> {
  const kubeProxy = kubeProxyProgram()
  await using plane = await ControlPlane.start()
  const connect: ConnectOptions = { ...(await accessOf(plane)), ...options, kubeProxy }
  const connects = await runInNetns<Series>('connect-main.ts', plane.netns, connect)
  const p50 = (name: string): number => connects[name]?.p50_ns ?? Number.NaN
  const toDirect = (name: string): number => ratio(p50(name), p50('direct_alone'))
  return {
    name: 'connect-compared',
    parameters: { ...options },
    results: connects,
    ratios: {
      'direct with kube-proxy / without a proxy': toDirect('direct_kube_proxy'),
      'direct with ours / without a proxy': toDirect('direct_kpng'),
      'ClusterIP with kube-proxy / direct without a proxy': toDirect('service_kube_proxy'),
      'ClusterIP with ours / direct without a proxy': toDirect('service_kpng'),
      'ClusterIP with ours, no record / direct without a proxy': toDirect('service_kpng_no_record'),
    },
  }
}
