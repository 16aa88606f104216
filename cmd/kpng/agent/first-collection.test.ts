import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import pino from 'pino'
import { FirstCollection } from './first-collection.ts'

const silent = pino({ enabled: false })

function counted(): { readonly collect: NodeJS.GCFunction; readonly asked: unknown[] } {
  const asked: unknown[] = []
  const collect = (options?: unknown) => void asked.push(options)
  return { collect: collect as NodeJS.GCFunction, asked }
}

test('the garbage of the start is collected once, some time after the first view is in place', async context => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { collect, asked } = counted()
  using first = new FirstCollection(silent, collect)
  first.placed()
  context.mock.timers.tick(999)
  assert.deepEqual(asked, [])
  context.mock.timers.tick(1)
  assert.deepEqual(asked, [{ type: 'major', execution: 'async', flavor: 'last-resort' }])
  await turn()
  for (let view = 0; view < 3; view++) {
    first.placed()
    context.mock.timers.tick(5_000)
  }
  assert.equal(asked.length, 1)
})

test('not after its end, and not at all where V8 does not offer it', async context => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { collect, asked } = counted()
  {
    using ended = new FirstCollection(silent, collect)
    ended.placed()
  }
  using without = new FirstCollection(silent, undefined)
  without.placed()
  context.mock.timers.tick(5_000)
  await turn()
  assert.deepEqual(asked, [])
})
