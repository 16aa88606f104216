import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failedLines } from './ip-batch.ts'

test('what ip says about lines that failed, by line', () => {
  const stderr = [
    'Error: any valid prefix is expected rather than "x".',
    'Command failed -:2',
    'RTNETLINK answers: File exists',
    'Command failed -:14',
    '',
  ].join('\n')
  assert.deepEqual(failedLines(stderr), [
    { line: 2, error: 'Error: any valid prefix is expected rather than "x".' },
    { line: 14, error: 'File exists' },
  ])
})
