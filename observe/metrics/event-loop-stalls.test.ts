import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { EventLoopStalls } from './event-loop-stalls.ts'

const name = 'kpng_event_loop_stall_seconds'

async function value(registry: Registry, suffix: string, cause: string): Promise<number> {
  const text = await registry.metrics()
  const line = text.split('\n').find(it => it.startsWith(`${name}_${suffix}{cause="${cause}"}`))
  return Number(line?.split(' ').at(-1))
}

test('turns of more than 20 ms are counted by cause; having nothing to do is none', async () => {
  const registry = new Registry()
  const now = { nowMs: 0, idleMs: 0, cpuMs: 0 }
  let next = (): void => {}
  using _stalls = new EventLoopStalls(registry, {
    nowMs: () => now.nowMs,
    idleMs: () => now.idleMs,
    cpuMs: () => now.cpuMs,
    nextTurn: call => {
      next = call
      return () => {}
    },
  })
  for (const { worked, waited = 0, idle = 0 } of [
    { worked: 5 },
    { worked: 20, idle: 1_000 },
    { worked: 21 },
    { worked: 1, idle: 100_000 },
    { worked: 379, waited: 100, idle: 50 },
    { worked: 6, waited: 44 },
    { worked: 6, waited: 14 },
  ]) {
    now.nowMs += worked + waited + idle
    now.idleMs += idle
    now.cpuMs += worked
    next()
  }
  const got = async (cause: string) => [
    await value(registry, 'count', cause),
    await value(registry, 'sum', cause),
  ]
  assert.deepEqual(
    [await got('work'), await got('waiting')],
    [
      [2, 0.5],
      [1, 0.05],
    ],
  )
})

test('in a real event loop: work counts, sleep does not', async () => {
  const registry = new Registry()
  using _stalls = new EventLoopStalls(registry)
  await sleep(300)
  const before = await value(registry, 'sum', 'work')
  setImmediate(() => {
    for (const endMs = performance.now() + 400; performance.now() < endMs; );
  })
  await sleep(5)
  await sleep(5)
  const worked = (await value(registry, 'sum', 'work')) - before
  assert.ok(worked >= 0.3, `${worked} s of 0.4`)
  assert.ok(before < 0.25, `${before} s while nothing happened`)
})
