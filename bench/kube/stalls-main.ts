/**
 * Loaded into the agent by --import: notes when its event loop was late by more than 20 ms, and whether the thread was
 * computing, collecting garbage or waiting for a processor then. Written to the file KPNG_BENCH_STALLS at the end.
 */
import { writeFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

export interface Stall {
  /** CLOCK_MONOTONIC at its end. */
  readonly atNs: string
  readonly ms: number
  /** CPU time of the thread in it. */
  readonly cpuMs: number
  /** Of which garbage collection that stopped everything. */
  readonly gcMs: number
}

const intervalMs = 4
const thresholdMs = 20

const path = process.env.KPNG_BENCH_STALLS
// Threads load it, too.
if (path !== undefined && isMainThread) {
  const stalls: (Stall & { readonly endMs: number })[] = []
  const collections: { startMs: number; ms: number }[] = []
  new PerformanceObserver(list => {
    for (const { startTime, duration } of list.getEntries())
      if (duration > 1) collections.push({ startMs: startTime, ms: duration })
  }).observe({ entryTypes: ['gc'] })
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  let lastMs = performance.now()
  let lastCpuMs = cpuMs()
  setInterval(() => {
    const nowMs = performance.now()
    const nowCpuMs = cpuMs()
    const ms = nowMs - lastMs - intervalMs
    if (ms > thresholdMs)
      stalls.push({
        atNs: `${process.hrtime.bigint()}`,
        ms: Math.round(ms),
        cpuMs: Math.round(nowCpuMs - lastCpuMs),
        gcMs: 0,
        endMs: nowMs,
      })
    lastMs = nowMs
    lastCpuMs = nowCpuMs
  }, intervalMs).unref()
  process.once('exit', () => {
    const withCollections = stalls.map(({ endMs, ...stall }): Stall => {
      const during = collections.filter(it => it.startMs < endMs && it.startMs + it.ms > endMs - stall.ms)
      return { ...stall, gcMs: Math.round(during.reduce((sum, it) => sum + it.ms, 0)) }
    })
    writeFileSync(path, JSON.stringify(withCollections))
  })
}
