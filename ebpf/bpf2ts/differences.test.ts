import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differences } from './differences.ts'

test('equal texts have no differences', () => {
  assert.deepEqual(differences('a\nb\n', 'a\nb\n'), [])
})

test('lines that go and come are shown below the declaration that they belong to', () => {
  const before = 'export const a = {\n  x: 1,\n  y: 2,\n}\nexport const b = 1\n'
  const after = 'export const a = {\n  x: 1,\n  y: 3,\n}\nexport const b = 1\nexport const c = 2\n'
  assert.deepEqual(differences(before, after), [
    'export const a = {',
    '-   y: 2,',
    '+   y: 3,',
    'export const b = 1',
    '+ export const c = 2',
  ])
})

test('many differences are cut', () => {
  const lines = (word: string) => Array.from({ length: 100 }, (_, index) => `${word}${index}`).join('\n')
  const found = differences(lines('old'), lines('new'))
  assert.equal(found.length, 61)
  assert.equal(found.at(-1), '… 140 more')
})
