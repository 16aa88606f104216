import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from '../test/e2e/agent.ts'
import { endProcess, hasEnded } from '../test/e2e/end-process.ts'
import { kpngPath } from '../test/e2e/lab.ts'
import { postJson } from '../test/e2e/unix-http.ts'
import type { Stall } from './kube/stalls-main.ts'
import { cpuSeconds, memory } from './kube/usage.ts'
import { type MapMemory, mapMemory, programMemory } from './map-memory.ts'
import type { CountedOperation } from './map-operations-main.ts'
import { percentile } from './percentiles.ts'
import { type Report, ratio } from './report.ts'
import { ScaleCluster } from './scale-cluster.ts'

export interface ScaleOptions {
  readonly services: number
  /** Of each Service. */
  readonly endpoints: number
  readonly changes: number
}

/** An agent on the cluster's files, with a preload of ours; ended by dispose. */
class ScaleAgent implements AsyncDisposable {
  readonly instance: string
  readonly pid: number
  readonly #stop: () => Promise<void>

  private constructor(instance: string, pid: number, stop: () => Promise<void>) {
    this.instance = instance
    this.pid = pid
    this.#stop = stop
  }

  /** Resolves when the maps have the whole cluster. */
  static async start(
    host: TestHost,
    options: ScaleOptions,
    { name, directory, environment }: { name: string; directory: string; environment: readonly string[] },
  ): Promise<ScaleAgent> {
    const cgroup = join(host.cgroup, name)
    mkdirSync(cgroup)
    const { instance } = host.agent(`-${name}`, cgroup)
    const child = host.start([
      ...['env', ...environment, kpngPath, 'file', '-i', directory, 'to-ebpf', '--node-name', 'node-a'],
      ...['--instance', instance, '--cgroup-root', cgroup],
      ...['--max-endpoints', `${options.services * options.endpoints}`],
      ...['--healthz-bind-address=', '--metrics-bind-address='],
    ])
    let log = ''
    child.stderr?.on('data', (piece: Buffer) => {
      log += piece.toString()
    })
    const agent = new ScaleAgent(instance, child.pid ?? 0, async () => {
      await endProcess(child)
    })
    try {
      await agent.#untilAnswers(() => !hasEnded(child))
      return agent
    } catch (cause) {
      await agent.#stop()
      throw new Error(`the agent does not answer: ${log}`, { cause })
    }
  }

  async sync(): Promise<unknown> {
    return await postJson(`/run/kpng/${this.instance}/status.sock`, '/v1/sync')
  }

  async #untilAnswers(runs: () => boolean): Promise<void> {
    const deadline = performance.now() + 120_000
    for (;;) {
      try {
        await this.sync()
        return
      } catch (reason) {
        if (performance.now() > deadline || !runs()) throw reason
        await sleep(5)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }
}

/** Stalls that ended in a span of CLOCK_MONOTONIC: how many, and the longest. */
const stallsWithin = (stalls: readonly Stall[], fromNs: bigint, toNs: bigint) => {
  const within = stalls.filter(({ atNs }) => BigInt(atNs) > fromNs && BigInt(atNs) <= toNs)
  const longest = [...within].sort((a, b) => b.ms - a.ms)[0]
  const computing = within.filter(({ ms, cpuMs }) => cpuMs > ms / 2).length
  return {
    count: within.length,
    mostlyComputing: computing,
    ...(longest ? { longest: { ms: longest.ms, cpuMs: longest.cpuMs, gcMs: longest.gcMs } } : {}),
  }
}

async function measureTimes(host: TestHost, options: ScaleOptions) {
  using cluster = new ScaleCluster(options.services, options.endpoints)
  const { directory } = cluster
  const stallsPath = join(directory, '.stalls')
  const stallsMain = join(import.meta.dirname, 'kube/stalls-main.ts')
  const environment = [`NODE_OPTIONS=--import=${stallsMain}`, `KPNG_BENCH_STALLS=${stallsPath}`]
  const startedNs = process.hrtime.bigint()
  const idle: number[] = []
  const changed: number[] = []
  const agent = await ScaleAgent.start(host, options, { name: 'times', directory, environment })
  const coldNs = process.hrtime.bigint()
  const measured = await (async () => {
    await using _agent = agent
    const cold = {
      coldMs: Math.round(Number(coldNs - startedNs) / 1e6),
      cpuSeconds: cpuSeconds(agent.pid),
      memory: memory(agent.pid),
    }
    const timed = async (times: number[], prepare: () => void): Promise<void> => {
      const start = performance.now()
      prepare()
      await agent.sync()
      times.push(performance.now() - start)
    }
    for (let change = 1; change <= options.changes; change++) {
      await timed(idle, () => undefined)
      await timed(changed, () => cluster.change(change))
    }
    return { cold, memory: memory(agent.pid), status: await agent.sync(), endNs: process.hrtime.bigint() }
  })()
  const stalls = JSON.parse(readFileSync(stallsPath, 'utf8')) as Stall[]
  return {
    cold: measured.cold,
    syncOfNothingMs: { p50: percentile(idle, 0.5), p99: percentile(idle, 0.99) },
    oneSliceChangedMs: { p50: percentile(changed, 0.5), p99: percentile(changed, 0.99) },
    memoryAfterChanges: measured.memory,
    stallsAbove20Ms: {
      coldStart: stallsWithin(stalls, startedNs, coldNs),
      changes: stallsWithin(stalls, coldNs, measured.endNs),
    },
    kernelMemory: kernelMemory(agent.instance),
    status: measured.status,
  }
}

/** In bytes. The datapath is still in place: only the agent has ended. */
function kernelMemory(instance: string) {
  const maps = mapMemory(instance)
  const programs = programMemory(instance)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
  return {
    total: sum(maps.map(({ bytes }) => bytes)) + sum(Object.values(programs)),
    maps: Object.fromEntries(maps.map(({ name, bytes, maxEntries }) => [name, { bytes, maxEntries }])),
    programs,
  }
}

/** What it takes of the kernel: for the cold start, and for the changes, each on average. */
async function countOperations(host: TestHost, options: ScaleOptions) {
  using cluster = new ScaleCluster(options.services, options.endpoints)
  const { directory } = cluster
  const path = join(directory, '.operations')
  const main = join(import.meta.dirname, 'map-operations-main.ts')
  const environment = [`NODE_OPTIONS=--import=${main}`, `KPNG_BENCH_OPERATIONS=${path}`]
  await using agent = await ScaleAgent.start(host, options, { name: 'operations', directory, environment })
  const maps = mapMemory(agent.instance)
  const take = async (): Promise<CountedOperation[]> => {
    rmSync(path, { force: true })
    process.kill(agent.pid, 'SIGUSR2')
    const deadline = performance.now() + 30_000
    while (!existsSync(path)) {
      if (performance.now() > deadline) throw new Error('the agent does not say what it counted')
      await sleep(5)
    }
    return JSON.parse(readFileSync(path, 'utf8')) as CountedOperation[]
  }
  const cold = await take()
  for (let change = 1; change <= options.changes; change++) {
    cluster.change(change)
    await agent.sync()
  }
  const changed = await take()
  // Otherwise what counts is not in the way of what it counts.
  for (const [what, kind] of [
    [cold, 'update batch'],
    [cold, 'memory'],
    [changed, 'store64'],
  ] as const)
    if (!what.some(it => it.kind === kind && it.bytes > 0)) throw new Error(`no ${kind} was counted`)
  return { cold: perMap(cold, maps, 1), eachChange: perMap(changed, maps, options.changes) }
}

/** Calls of bpf(2), entries and bytes in all and by map and kind, each divided by `among`. */
function perMap(operations: readonly CountedOperation[], maps: readonly MapMemory[], among: number) {
  const names = new Map(maps.map(({ id, name }) => [id, name]))
  const part = (number: number): number => Math.round((number / among) * 100) / 100
  const total = (field: 'calls' | 'bytes'): number => part(operations.reduce((sum, it) => sum + it[field], 0))
  return {
    calls: total('calls'),
    bytes: total('bytes'),
    byMap: Object.fromEntries(
      operations.map(({ mapId, kind, calls, entries, bytes }) => [
        `${names.get(mapId) ?? 'another map'}, ${kind}`,
        { calls: part(calls), entries: part(entries), bytes: part(bytes) },
      ]),
    ),
  }
}

/**
 * Files to kernel: what a cold agent takes for a whole cluster, and what one changed slice among all of them, from the
 * rename of the file to the answer that the maps carry it (which includes the call itself; measured alone too). What
 * is asked of the kernel is counted in a run of its own, since counting takes time.
 */
export async function scaleBench(options: ScaleOptions): Promise<Report> {
  await using host = new TestHost()
  const times = await measureTimes(host, options)
  const operations = await countOperations(host, options)
  const { oneSliceChangedMs, syncOfNothingMs } = times
  return {
    name: 'scale',
    parameters: { ...options },
    results: { ...times, operations },
    ratios: {
      'one slice changed / nothing changed, p50': ratio(oneSliceChangedMs.p50, syncOfNothingMs.p50),
    },
  }
}
