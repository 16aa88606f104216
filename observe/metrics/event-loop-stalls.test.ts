import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { EventLoopStalls } from './event-loop-stalls.ts'

const name = 'kpng_event_loop_stall_seconds'

async function value(registry: Registry, suffix: string): Promise<number> {
  const text = await registry.metrics()
  const line = text.split('\n').find(it => it.startsWith(`${name}_${suffix} `))
  return Number(line?.split(' ').at(-1))
}

test('turns that work for more than 20 ms are counted; waiting is not work', async () => {
  const registry = new Registry()
  let nowMs = 0
  let idleMs = 0
  let next = (): void => {}
  using _stalls = new EventLoopStalls(registry, {
    nowMs: () => nowMs,
    idleMs: () => idleMs,
    nextTurn: call => {
      next = call
      return () => {}
    },
  })
  for (const [worked, waited] of [
    [5, 0],
    [20, 1_000],
    [21, 0],
    [1, 100_000],
    [300, 50],
  ] as const) {
    nowMs += worked + waited
    idleMs += waited
    next()
  }
  assert.deepEqual([await value(registry, 'count'), await value(registry, 'sum')], [2, 0.321])
})

test('in a real event loop: work counts, sleep does not', async () => {
  const registry = new Registry()
  using _stalls = new EventLoopStalls(registry)
  await sleep(300)
  const before = await value(registry, 'sum')
  setImmediate(() => {
    for (const endMs = performance.now() + 400; performance.now() < endMs; );
  })
  await sleep(5)
  await sleep(5)
  const worked = (await value(registry, 'sum')) - before
  assert.ok(worked >= 0.3, `${worked} s of 0.4`)
  assert.ok(before < 0.25, `${before} s while nothing happened`)
})
