import { ControlPlane } from '@kpng/lab'
import { kubeProxyProgram } from './kube/binaries.ts'
import { accessOf, runInNetns } from './kube/in-netns.ts'
import type { MeasureOptions } from './kube/measure-main.ts'
import { type Report, ratio } from './report.ts'

export interface KubeBenchOptions {
  readonly services: number
  readonly endpoints: number
  readonly changes: number
  readonly bulkChanges: number
  readonly rollingEndpoints: number
  readonly kubeProxyChanges: number
  /** false: ours alone. */
  readonly kubeProxy: boolean
  /** A CPU profile of our agent is left there. */
  readonly profileDirectory?: string | undefined
}

/**
 * A real API server with a large cluster in it, and what a proxy makes of it: ours and the real kube-proxy in nftables
 * mode, one after the other, each in a network namespace of its own, measured the same way.
 */
export async function kubeBench(options: KubeBenchOptions): Promise<Report> {
  const kubeProxy = options.kubeProxy ? kubeProxyProgram() : undefined
  await using plane = await ControlPlane.start()
  const measure: MeasureOptions = {
    ...(await accessOf(plane)),
    size: { services: options.services, endpoints: options.endpoints },
    work: {
      singleChanges: options.changes,
      pauseMs: 100,
      rollingEndpoints: options.rollingEndpoints,
      rollingPerSecond: 50,
      bulkChanges: options.bulkChanges,
    },
    kubeProxy,
    kubeProxyChanges: options.kubeProxyChanges,
    profileDirectory: options.profileDirectory,
  }
  const results = await runInNetns<Results>('measure-main.ts', plane.netns, measure)
  return {
    name: 'kube',
    parameters: { ...options, ...measure.work },
    results,
    ratios: kubeProxy === undefined ? {} : ratios(results),
  }
}

/** As far as it is compared. */
interface ProxyResults {
  readonly cold: { readonly coldMs: number; readonly cpuSeconds: number }
  readonly memoryAfterStart: { readonly residentMiB: number }
  readonly memoryAfterBulk?: { readonly residentMiB: number }
  readonly singleChanges: { readonly sinceRequestMs: { readonly p50: number } }
  readonly rollingUpdate?: { readonly cpuSeconds: number }
  readonly bulk?: { readonly cpuSeconds: number }
}

type Results = Readonly<Record<'kpng' | 'kube-proxy', ProxyResults>>

function ratios({ kpng, 'kube-proxy': theirs }: Results): Record<string, number> {
  const compare = (of: (one: ProxyResults) => number): number => ratio(of(theirs), of(kpng))
  return {
    'cold start, kube-proxy / ours': compare(it => it.cold.coldMs),
    'CPU of the cold start, kube-proxy / ours': compare(it => it.cold.cpuSeconds),
    'one change p50, kube-proxy / ours': compare(it => it.singleChanges.sinceRequestMs.p50),
    'resident after start, kube-proxy / ours': compare(it => it.memoryAfterStart.residentMiB),
    'resident after the changes, kube-proxy / ours': compare(
      it => it.memoryAfterBulk?.residentMiB ?? Number.NaN,
    ),
    'CPU of a rolling update, kube-proxy / ours': compare(it => it.rollingUpdate?.cpuSeconds ?? Number.NaN),
    'CPU of the bulk, kube-proxy / ours': compare(it => it.bulk?.cpuSeconds ?? Number.NaN),
  }
}
