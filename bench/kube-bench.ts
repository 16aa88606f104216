import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ControlPlane } from '@kpng/lab'
import { kubeProxyProgram } from './kube/binaries.ts'
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

const address = '172.31.255.1'

/**
 * A real API server with a large cluster in it, and what a proxy makes of it: ours and the real kube-proxy in nftables
 * mode, one after the other, each in a network namespace of its own, measured the same way.
 */
export async function kubeBench(options: KubeBenchOptions): Promise<Report> {
  const kubeProxy = options.kubeProxy ? kubeProxyProgram() : undefined
  await using plane = await ControlPlane.start({ address })
  const measure: MeasureOptions = {
    url: plane.url,
    ca: plane.ca,
    certificate: join(plane.directory, 'pki/admin.crt'),
    key: join(plane.directory, 'pki/admin.key'),
    address,
    kubeconfig: await plane.kubeconfigFor({ user: 'system:kube-proxy' }),
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
  const results = await inNetns(plane.netns, measure)
  return {
    name: 'kube',
    parameters: { ...options, ...measure.work },
    results,
    ratios: kubeProxy === undefined ? {} : ratios(results),
  }
}

/** measure-main.ts in that namespace, to its end. */
async function inNetns(netns: string, options: MeasureOptions): Promise<Results> {
  const main = join(import.meta.dirname, 'kube/measure-main.ts')
  // Told to end when this process ends, so that it can clear up.
  const command = [
    '--pdeathsig',
    'TERM',
    '--',
    'nsenter',
    `--net=/run/netns/${netns}`,
    '--',
    process.execPath,
  ]
  const child = spawn('setpriv', [...command, main, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (code !== 0) throw new Error(`the measurement ended with ${code}`)
  return JSON.parse(output) as Results
}

/** As far as it is compared. */
interface ProxyResults {
  readonly cold: { readonly coldMs: number }
  readonly memoryAfterStart: { readonly residentMiB: number }
  readonly memoryAfterBulk: { readonly residentMiB: number }
  readonly singleChanges: { readonly sinceRequestMs: { readonly p50: number } }
  readonly rollingUpdate: { readonly cpuSeconds: number }
}

type Results = Readonly<Record<'kpng' | 'kube-proxy', ProxyResults>>

function ratios({ kpng, 'kube-proxy': theirs }: Results): Record<string, number> {
  const compare = (of: (one: ProxyResults) => number): number => ratio(of(theirs), of(kpng))
  return {
    'cold start, kube-proxy / ours': compare(it => it.cold.coldMs),
    'one change p50, kube-proxy / ours': compare(it => it.singleChanges.sinceRequestMs.p50),
    'resident after start, kube-proxy / ours': compare(it => it.memoryAfterStart.residentMiB),
    'resident after the changes, kube-proxy / ours': compare(it => it.memoryAfterBulk.residentMiB),
    'CPU of a rolling update, kube-proxy / ours': compare(it => it.rollingUpdate.cpuSeconds),
  }
}
