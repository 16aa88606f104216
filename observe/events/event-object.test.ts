import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventKey, eventObject, identify, truncate } from './event-object.ts'
import type { EventInput } from './event-recorder.ts'

const input: EventInput = {
  regarding: { kind: 'Service', apiVersion: 'v1', namespace: 'ns', name: 'web', uid: 'u' },
  type: 'Warning',
  reason: 'R',
  action: 'A',
  note: 'n',
}

test('the note is no part of what makes Events one', () => {
  assert.equal(eventKey(input), eventKey({ ...input, note: 'other' }))
  assert.notEqual(eventKey(input), eventKey({ ...input, reason: 'S' }))
  assert.notEqual(eventKey(input), eventKey({ ...input, regarding: { ...input.regarding, uid: 'v' } }))
})

test('names of Events of one moment differ, and fit', () => {
  const long = { ...input, regarding: { ...input.regarding, name: 'x'.repeat(253) } }
  const names = new Set([0, 1, 2].map(unique => identify(long, 1_700_000_000_000, unique).name))
  assert.equal(names.size, 3)
  for (const name of names) assert.ok(name.length <= 253)
})

test('a note and an instance are cut to what the API takes', () => {
  const object = eventObject(
    identify({ ...input, note: 'ö'.repeat(2_000) }, 0, 0),
    'i'.repeat(300),
    undefined,
  ) as {
    note: string
    reportingInstance: string
  }
  assert.ok(Buffer.byteLength(object.note) <= 1_024)
  assert.match(object.note, /^ö+…$/)
  assert.ok(Buffer.byteLength(object.reportingInstance) <= 128)
})

test('text is cut between characters', () => {
  assert.equal(truncate('abc', 3), 'abc')
  assert.equal(truncate('abcdef', 5), 'ab…')
  assert.equal(truncate('a😀bcdef', 7), 'a…')
  assert.equal(truncate('a😀bcdef', 8), 'a😀…')
})
