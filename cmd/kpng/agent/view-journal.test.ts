import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { busy } from './testing/busy.ts'
import { ViewJournal } from './view-journal.ts'

/** A journal of a view that is one text, in a directory of its own. */
function subject(minIntervalMs: number) {
  const directory = mkdtempSync(join(tmpdir(), 'kpng-journal-'))
  const path = join(directory, 'view.json')
  const at = {
    path,
    text: '',
    busyMs: 0,
    writes: [] as { beginMs: number; endMs: number }[],
    errors: [] as unknown[],
  }
  const journal = new ViewJournal({
    path,
    minIntervalMs,
    *pieces() {
      const beginMs = performance.now()
      busy(at.busyMs)
      yield at.text
      yield '.'
      at.writes.push({ beginMs, endMs: performance.now() })
    },
    onError: reason => at.errors.push(reason),
  })
  const read = (): string => readFileSync(path, 'utf8')
  return {
    ...{ at, directory, journal, read },
    async [Symbol.asyncDispose]() {
      await journal[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

test('what was touched last is there once the journal is closed, and nothing beside it', async () => {
  await using it = subject(60_000)
  it.at.text = 'first'
  it.journal.touch()
  await it.journal.flush()
  for (const text of ['second', 'third']) {
    it.at.text = text
    it.journal.touch()
    await sleep(20)
  }
  assert.equal(it.read(), 'first.')
  assert.equal(it.at.writes.length, 1)
  await it.journal[Symbol.asyncDispose]()
  assert.equal(it.read(), 'third.')
  assert.deepEqual(readdirSync(it.directory), ['view.json'])
})

test('writing takes one hundredth of a CPU at most', async () => {
  await using it = subject(0)
  it.at.busyMs = 10
  it.journal.touch()
  await it.journal.flush()
  it.journal.touch()
  while (it.at.writes.length < 2) await sleep(10)
  const [first, second] = it.at.writes
  assert.ok(first !== undefined && second !== undefined)
  const pauseMs = second.beginMs - first.endMs
  assert.ok(pauseMs >= 1_000, `10 ms are followed by a pause of a second, not ${pauseMs} ms`)
})

test('a write that fails is told, leaves what was there, and is tried again with the next change', async () => {
  await using it = subject(0)
  it.at.text = 'good'
  it.journal.touch()
  await it.journal.flush()
  const inTheWay = `${it.at.path}.new`
  mkdirSync(inTheWay)
  it.at.text = 'better'
  it.journal.touch()
  await it.journal.flush()
  assert.equal(it.at.errors.length, 1)
  assert.equal(it.read(), 'good.')
  rmdirSync(inTheWay)
  it.journal.touch()
  await it.journal.flush()
  assert.equal(it.read(), 'better.')
})
