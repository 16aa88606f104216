import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { scratchCgroup, scratchPins } from './testing.ts'

/** Runs a test file whose only test does `body`; gives node's report. */
const runTest = (body: string): { status: number | null; report: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'kpng-leak-'))
  try {
    const file = join(folder, 'one.test.ts')
    writeFileSync(
      file,
      `import { test } from 'node:test'
      import { createMap } from '${import.meta.resolve('./bpf-map.ts')}'
      import { syscall } from '${import.meta.resolve('./sys/syscall.ts')}'
      import { failOnLeakedFds } from '${import.meta.resolve('./testing.ts')}'
      failOnLeakedFds()
      const make = () => createMap({ name: 'leaky', type: 1, keySize: 4, valueSize: 4, maxEntries: 1 })
      test('one', () => { ${body} })`,
    )
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { status, stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8', env })
    return { status, report: stdout }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a test that leaves a descriptor open fails, and the report says where it was opened', () => {
  const { status, report } = runTest('make()')
  assert.equal(status, 1)
  assert.match(report, /left open: \d+ map leaky, Error: opened map leaky/)
  assert.match(report, /one\.test\.ts:7/)
})

test('so does one that leaves a descriptor open which has no owner', () => {
  const { status, report } = runTest("using map = make(); syscall('fcntl', map.fd.number, 0, 0)")
  assert.equal(status, 1)
  assert.match(report, /left open: \d+ bpf-map/)
})

test('a test that closes all passes', () => {
  assert.equal(runTest('using map = make()').status, 0)
})

test('scratch directories are gone afterwards, with what is in them', () => {
  const paths: string[] = []
  {
    using pins = scratchPins()
    using cgroup = scratchCgroup()
    cgroup.enter()
    paths.push(pins.path, cgroup.path)
    for (const path of paths) assert.ok(existsSync(path))
  }
  for (const path of paths) assert.ok(!existsSync(path))
})
