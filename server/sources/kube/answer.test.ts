import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Answer } from './answer.ts'

const count = 50_000
const event = (version: number): string =>
  `${JSON.stringify({ type: 'ADDED', object: { metadata: { resourceVersion: `${version}` } } })}\n`

/** All of a watch in one piece. */
async function* onePiece(): AsyncGenerator<Uint8Array> {
  yield Buffer.from(Array.from({ length: count }, (_, version) => event(version)).join(''))
}

test('events that come at once come one after the other, none is lost, and others have their turn in between', async () => {
  let turns = 0
  let reading = true
  const others = (async () => {
    for (; reading; turns++) await nextTurn()
  })()
  let next = 0
  let lots = 0
  for await (const events of new Answer(onePiece(), 'application/json').events(1_000)) {
    lots++
    for (const { version } of events) assert.equal(version, `${next++}`)
  }
  reading = false
  await others
  assert.equal(next, count)
  assert.ok(lots > 1 && turns > 1, `${lots} lots, ${turns} turns`)
})
