import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventReasons, type ReasonSpec } from './reasons.ts'

test('docs/events.md has every reason that is told, with what it means, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/events.md'), 'utf8')
  const rows = Object.entries<ReasonSpec>(eventReasons).map(
    ([reason, { type, regarding, action, meaning }]) =>
      `| \`${reason}\` | ${type} | ${regarding.join(', ')} | \`${action}\` | ${meaning} |`,
  )
  const table = page.split('\n').filter(line => line.startsWith('| `'))
  assert.deepEqual(table, rows)
})

test('reasons and actions are what the API takes: one word each, of 128 bytes at most', () => {
  for (const [reason, { action }] of Object.entries(eventReasons)) {
    assert.match(reason, /^[A-Z][A-Za-z]{0,127}$/)
    assert.match(action, /^[A-Z][A-Za-z]{0,127}$/)
  }
})
