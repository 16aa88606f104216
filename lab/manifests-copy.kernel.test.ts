import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { copyManifests } from './manifests-copy.ts'
import { labDir, manifestsPath } from './names.ts'

/** Needs root only because labs are below /run. */
class Scratch implements Disposable {
  readonly source = mkdtempSync(join(tmpdir(), 'kpng-copy-test-'))
  readonly lab = `mc${process.pid.toString(36)}${Math.random().toString(36).slice(2, 8)}`

  write(file: string, text: string): void {
    writeFileSync(join(this.source, file), text)
  }

  copy(source = this.source) {
    const copy = copyManifests(this.lab, source)
    return { ...copy, read: (file: string) => readFileSync(join(copy.directory, file), 'utf8') }
  }

  [Symbol.dispose](): void {
    rmSync(this.source, { recursive: true, force: true })
    rmSync(labDir(this.lab), { recursive: true, force: true })
  }
}

test('a file that cannot be read is told and stays as it was; the others are copied', () => {
  using scratch = new Scratch()
  scratch.write('a.yaml', 'first')
  scratch.write('b.yaml', 'other')
  symlinkSync('nowhere', join(scratch.source, 'never-good.yaml'))
  mkdirSync(join(scratch.source, 'directory.yaml'))
  const first = scratch.copy()
  first.publish()
  assert.deepEqual(first.problems, [
    {
      where: join(scratch.source, 'never-good.yaml'),
      field: '',
      message: 'cannot be read: ENOENT: no such file or directory',
    },
  ])

  unlinkSync(join(scratch.source, 'a.yaml'))
  symlinkSync('a.yaml', join(scratch.source, 'a.yaml'))
  scratch.write('b.yaml', 'changed')
  const second = scratch.copy()
  assert.match(second.problems[0]?.message ?? '', /ELOOP/)
  assert.equal(second.read('a.yaml'), 'first')
  assert.equal(second.read('b.yaml'), 'changed')

  assert.throws(() => scratch.copy(join(scratch.source, 'nothing')), { code: 'io' })
})

test('problems speak of the user’s own files, also in what they say', () => {
  using scratch = new Scratch()
  scratch.write('a.yaml', 'x')
  const problem = (path: string) => ({ where: `${path}:1:1`, field: 'f', message: `again at ${path}:2:1` })
  const { source, lab } = scratch
  const own = problem(`${source}/a.yaml`)
  for (const given of [source, `${source}/`]) {
    const copy = scratch.copy(given)
    assert.deepEqual(copy.translate([problem(join(copy.directory, 'a.yaml'))]), [own])
    assert.deepEqual(copy.translate([problem(join(manifestsPath(lab), 'a.yaml'))]), [own])
  }
  const single = scratch.copy(`${source}/a.yaml`)
  assert.deepEqual(single.translate([problem(join(manifestsPath(lab), 'a.yaml'))]), [own])
  assert.deepEqual(single.translate([own]), [own])
})
