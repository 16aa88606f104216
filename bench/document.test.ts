import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documentedPage } from './document.ts'

test('docs/benchmarks.md says what bench/results has', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/benchmarks.md'), 'utf8')
  assert.equal(documentedPage(page, join(import.meta.dirname, 'results')), page)
})

test('a table without a place on the page is an error', () => {
  assert.throws(() => documentedPage('', join(import.meta.dirname, 'results')), /no place for the table/)
})
