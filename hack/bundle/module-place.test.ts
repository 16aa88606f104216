import assert from 'node:assert/strict'
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { atItsPlace } from './module-place.ts'

test('a module in the bundle says of its place what its source would, also where spaces and % are in a path', async () => {
  using root = mkdtempDisposableSync(join(tmpdir(), 'kpng-bundle-'))
  const directory = join(root.path, 'cmd/kpng/bundle')
  const folder = join(root.path, 'a room/100%')
  mkdirSync(directory, { recursive: true })
  mkdirSync(folder, { recursive: true })
  const source = 'export const place = [import.meta.dirname, import.meta.url]\n'
  const path = join(folder, 'module.ts')
  const bundled = join(directory, 'main.mjs')
  writeFileSync(bundled, atItsPlace(source, path, directory))
  const { place } = await import(pathToFileURL(bundled).href)
  assert.deepEqual(place, [folder, pathToFileURL(path).href])
})

test('what only looks like it is left alone', () => {
  const source = 'import.meta.resolve("x"); myimport.meta.urls'
  assert.equal(atItsPlace(source, '/r/a.ts', '/r/b'), source)
})
