import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../percentiles.ts'
import type { ChangeTimes, ClusterChanges } from './changes.ts'
import type { MeasuredProxy } from './proxy.ts'
import type { Stall } from './stalls-main.ts'
import { cpuSeconds, memory } from './usage.ts'

export interface Work {
  readonly singleChanges: number
  /** After each of them. */
  readonly pauseMs: number
  readonly rollingEndpoints: number
  readonly rollingPerSecond: number
  readonly bulkChanges: number
}

const settleMs = 5_000
const bulkAtOnce = 32
const verifiedServices = 20

interface Phase {
  readonly name: string
  readonly beginNs: bigint
  readonly endNs: bigint
}

/** One proxy through all phases, alone on the machine but for the API server. `say`: for who waits. */
export async function measureProxy(
  proxy: MeasuredProxy,
  changes: ClusterChanges,
  services: number,
  work: Work,
  say: (text: string) => void,
): Promise<Record<string, unknown>> {
  const phases: Phase[] = []
  const phase = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const beginNs = process.hrtime.bigint()
    const result = await run()
    phases.push({ name, beginNs, endNs: process.hrtime.bigint() })
    say(`${proxy.name}: ${name} took ${seconds(process.hrtime.bigint() - beginNs)} s`)
    return result
  }
  const resting = async (): Promise<ReturnType<typeof memory>> => {
    await sleep(settleMs)
    return memory(proxy.pid)
  }
  const cold = await phase('cold start', () => proxy.start())
  const memoryAfterStart = await resting()
  const result: Record<string, unknown> = { cold, memoryAfterStart }
  if (work.singleChanges > 0) {
    const { singleChanges, pauseMs } = work
    const single = await phase('single changes', () => changes.single(proxy, singleChanges, pauseMs))
    result.singleChanges = summary(single)
  }
  if (work.rollingEndpoints > 0) {
    const before = cpuSeconds(proxy.pid)
    await phase('rolling update', async () => {
      await changes.rolling(work.rollingEndpoints, work.rollingPerSecond)
      await changes.caughtUp(proxy)
    })
    result.rollingUpdate = { cpuSeconds: round(cpuSeconds(proxy.pid) - before), ...duration(phases) }
  }
  if (work.bulkChanges > 0) {
    const before = cpuSeconds(proxy.pid)
    await phase('bulk of changes', async () => {
      await changes.bulk(work.bulkChanges, bulkAtOnce)
      await changes.caughtUp(proxy)
    })
    result.bulk = { cpuSeconds: round(cpuSeconds(proxy.pid) - before), ...duration(phases) }
    result.memoryAfterBulk = await resting()
  }
  await proxy.verify(changes.expected(Math.ceil(services / verifiedServices)))
  const { stalls, ...told } = await proxy.stop()
  return { ...result, ...told, ...(stalls !== undefined && { stalls: byPhase(stalls as Stall[], phases) }) }
}

const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits
const seconds = (ns: bigint): number => round(Number(ns) / 1e9)

const duration = (phases: readonly Phase[]): { seconds: number } => {
  const last = phases.at(-1)
  return { seconds: last === undefined ? 0 : seconds(last.endNs - last.beginNs) }
}

const quantiles = (values: readonly number[]) => ({
  p50: percentile(values, 0.5),
  p99: percentile(values, 0.99),
  max: percentile(values, 1),
})

const summary = (times: readonly ChangeTimes[]) => ({
  n: times.length,
  sinceRequestMs: quantiles(times.map(it => it.sinceRequestMs)),
  sinceAnswerMs: quantiles(times.map(it => it.sinceAnswerMs)),
  sinceEventMs: quantiles(times.map(it => it.sinceEventMs)),
})

/** Between phases, too: 'at rest'. */
function byPhase(stalls: readonly Stall[], phases: readonly Phase[]) {
  const phaseOf = (stall: Stall): string =>
    phases.find(it => BigInt(stall.atNs) >= it.beginNs && BigInt(stall.atNs) <= it.endNs)?.name ?? 'at rest'
  const grouped = Object.groupBy(stalls, phaseOf)
  return Object.fromEntries(
    Object.entries(grouped).map(([name, list = []]) => [
      name,
      {
        count: list.length,
        worst: list
          .toSorted((a, b) => b.ms - a.ms)
          .slice(0, 10)
          .map(({ atNs: _, ...it }) => it),
      },
    ]),
  )
}
