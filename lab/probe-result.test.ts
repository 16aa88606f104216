import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, summarize } from './probe-result.ts'

test('a probe’s parts add up to what was sent', () => {
  const outcomes: Outcome[] = [
    { kind: 'answered', pod: '10.180.0.1:80', source: '10.0.0.2' },
    { kind: 'answered', pod: '10.180.0.1:80', source: '10.0.0.3' },
    { kind: 'answered', pod: '[fd00::1]:80', source: '10.0.0.2' },
    { kind: 'timedOut' },
    ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EPERM', 'EPERM'].map(
      errno => ({ kind: 'error', errno }) as const,
    ),
  ]
  assert.equal(
    JSON.stringify(summarize(outcomes)),
    '{"sent":9,"answered":{"10.180.0.1:80":2,"[fd00::1]:80":1},"refused":1,"unreachable":2,"timedOut":1,"errors":{"EPERM":2},"sources":{"10.0.0.2":2,"10.0.0.3":1}}',
  )
})
