import assert from 'node:assert/strict'
import {
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { putBundle } from './put-bundle.ts'

const temporaryDirectory = () => mkdtempDisposableSync(join(tmpdir(), 'kpng-bundle-'))
const hourMs = 3_600_000
const file = (name: string, text: string) => ({ path: `/out/${name}`, contents: Buffer.from(text) })

test('the parts of the last day’s bundles stay for commands that still import them, older ones go', () => {
  using directory = temporaryDirectory()
  const aged = (name: string, hours: number): void => {
    const path = join(directory.path, name)
    writeFileSync(path, 'old')
    const at = new Date(Date.now() - hours * hourMs)
    utimesSync(path, at, at)
  }
  aged('agent-A.mjs', 23)
  aged('agent-B.mjs', 25)
  aged('agent-C.mjs', 48)
  putBundle(directory.path, [file('main.mjs', 'main'), file('agent-C.mjs', 'C')], new Date())
  assert.deepEqual(readdirSync(directory.path).sort(), ['agent-A.mjs', 'agent-C.mjs', 'main.mjs'])
  assert.equal(readFileSync(join(directory.path, 'agent-C.mjs'), 'utf8'), 'C')
})

test('the entry is as old as the start of the build: what was changed meanwhile is newer', () => {
  using directory = temporaryDirectory()
  const startedAt = new Date(Date.now() - 5_000)
  putBundle(directory.path, [file('main.mjs', 'main')], startedAt)
  assert.equal(statSync(join(directory.path, 'main.mjs')).mtimeMs, startedAt.getTime())
})
