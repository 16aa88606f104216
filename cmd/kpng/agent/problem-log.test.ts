import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Problem } from '@kpng/api'
import { pino } from 'pino'
import { RateLimit } from './logger.ts'
import { ProblemLog } from './problem-log.ts'

const problem = (number: number): Problem => ({
  where: `a.yaml:${number}:1`,
  field: 'spec',
  message: `bad ${number}`,
})

function logged(run: (log: ProblemLog) => void): Array<Record<string, unknown>> {
  const lines: string[] = []
  const logger = pino({ base: null, timestamp: false }, { write: line => lines.push(line) })
  run(new ProblemLog(logger, new RateLimit({ burst: 2, nowMs: () => 0 })))
  return lines.map(line => JSON.parse(line))
}

test('problem log: each once when it appears and once when it is over', () => {
  const lines = logged(log => {
    log.update([problem(1)])
    log.update([problem(1)])
    log.update([])
  })
  assert.deepEqual(
    lines.map(({ msg, where }) => [msg, where]),
    [
      ['bad 1', 'a.yaml:1:1'],
      ['solved: bad 1', 'a.yaml:1:1'],
    ],
  )
})

test('problem log: of many at a time it says how many were left out', () => {
  const lines = logged(log => log.update([1, 2, 3, 4, 5].map(problem)))
  assert.equal(lines.length, 3)
  assert.equal(lines[2]?.leftOut, 3)
})

test('problem log: a note is no warning, and told once', () => {
  const lines = logged(log => {
    log.update([], [problem(1)])
    log.update([], [problem(1)])
  })
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[30, 'bad 1']],
  )
})
