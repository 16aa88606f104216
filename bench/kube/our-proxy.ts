import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { DatapathInspection } from '@kpng/backend-ebpf'
import { AgentProcess, noServers } from '../../test/e2e/agent-process.ts'
import { kpngPath } from '../../test/e2e/lab.ts'
import { samplesOf } from '../../test/e2e/samples.ts'
import { endpointPort } from './cluster.ts'
import type { AwaitedFlip } from './map-watch-main.ts'
import type { ColdStart, ExpectedChange, MeasuredProxy } from './proxy.ts'
import type { ProxyHost } from './proxy-host.ts'
import { cpuSeconds } from './usage.ts'

const coldTimeoutMs = 120_000
const ownMetrics =
  /^(kpng_event_loop_stall_seconds|kubeproxy_network_programming_duration_seconds)_(sum|count)|^kpng_reconciler_total/

export interface OurProxyOptions {
  /** Default kpng. */
  readonly name?: string
  /** Where Node keeps compiled modules from one start to the next. Default: as everywhere. */
  readonly compileCache?: string
  readonly kubeconfig: string
  readonly maxEndpoints: number
  readonly services: number
  /** For what it writes down. */
  readonly directory: string
  /** More of them for the agent. */
  readonly flags?: readonly string[]
  /** A CPU profile is left there. */
  readonly profileDirectory?: string | undefined
}

/** The agent of this checkout. */
export class OurProxy implements MeasuredProxy {
  readonly name: string
  readonly cgroup: string
  readonly #host: ProxyHost
  readonly #options: OurProxyOptions
  readonly #agent: AgentProcess
  #worker: Worker | undefined

  constructor(host: ProxyHost, options: OurProxyOptions) {
    this.#host = host
    this.#options = options
    this.name = options.name ?? 'kpng'
    this.#agent = new AgentProcess(host.host.name)
    this.cgroup = join(host.host.cgroup, 'node')
    mkdirSync(this.cgroup)
  }

  get pid(): number {
    return this.#agent.pid
  }

  async start(): Promise<ColdStart> {
    const { kubeconfig, compileCache, maxEndpoints, services, flags = [] } = this.#options
    const started = performance.now()
    const child = this.#host.host.start([
      ...['env', `NODE_OPTIONS=${this.#nodeOptions()}`, `KPNG_BENCH_STALLS=${this.#stallsPath}`],
      ...(compileCache === undefined ? [] : [`NODE_COMPILE_CACHE=${compileCache}`]),
      ...[kpngPath, 'kube', '--kubeconfig', kubeconfig, 'to-ebpf', '--node-name', this.#host.nodeName],
      ...['--instance', this.#agent.instance, '--cgroup-root', this.cgroup, ...noServers],
      ...['--max-endpoints', `${maxEndpoints}`, ...flags],
    ])
    this.#agent.startedAs(child)
    // Programs are put in place when the first complete view is in the maps.
    const link = `/sys/fs/bpf/kpng/${this.#agent.instance}/link/connect4`
    while (!existsSync(link)) {
      this.#check(performance.now() - started < coldTimeoutMs)
      await sleep(2)
    }
    const coldMs = Math.round(performance.now() - started)
    const cpu = cpuSeconds(this.pid)
    const programmed = this.#clusterIPs().length
    this.#check(programmed >= services)
    const status = await this.#agent.status()
    this.#check(status.synced)
    this.#worker = new Worker(new URL('./map-watch-main.ts', import.meta.url), {
      workerData: { instance: this.#agent.instance, port: 80 },
    })
    await once(this.#worker, 'online')
    return { coldMs, cpuSeconds: cpu, details: { frontends: programmed, problems: status.problems.length } }
  }

  async expect(change: ExpectedChange): Promise<{ carriedNs: Promise<bigint> }> {
    const worker = this.#worker
    if (worker === undefined) throw new Error('the agent does not run')
    const armed = once(worker, 'message')
    worker.postMessage(change satisfies AwaitedFlip)
    await armed
    const carriedNs = once(worker, 'message').then(([atNs]: bigint[]) => atNs ?? 0n)
    return { carriedNs }
  }

  async verify(expected: ReadonlyMap<string, readonly string[]>): Promise<void> {
    using inspection = DatapathInspection.open(this.#agent.instance)
    for (const [clusterIP, addresses] of expected) {
      const found = inspection?.backendsOf('IPv4', clusterIP, 80, 'TCP')
      const wanted = addresses.map(address => `${address}:${endpointPort}`).sort()
      if (found?.join() !== wanted.join())
        throw new Error(`${clusterIP}: there are ${found}, expected ${wanted}`)
    }
  }

  async stop(): Promise<Readonly<Record<string, unknown>>> {
    const metrics = await this.#agent.metrics()
    await this.#end('SIGTERM')
    const stalls: unknown = JSON.parse(readFileSync(this.#stallsPath, 'utf8'))
    return { stalls, metrics: Object.fromEntries(samplesOf(metrics, ownMetrics)) }
  }

  get #stallsPath(): string {
    return join(this.#options.directory, 'stalls.json')
  }

  #nodeOptions(): string {
    const { profileDirectory } = this.#options
    const stalls = `--import=${join(import.meta.dirname, 'stalls-main.ts')}`
    return profileDirectory === undefined ? stalls : `${stalls} --cpu-prof --cpu-prof-dir=${profileDirectory}`
  }

  #clusterIPs(): string[] {
    using inspection = DatapathInspection.open(this.#agent.instance)
    return inspection?.dump().filter(line => line.startsWith('svc4')) ?? []
  }

  #check(good: boolean): void {
    if (good && this.#agent.isRunning) return
    throw new Error(`the agent is not as expected:\n${this.#agent.log}`)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    await this.#worker?.terminate()
    this.#worker = undefined
    await this.#agent.stop(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _agent = this.#agent
    await this.#end('SIGKILL')
  }
}
