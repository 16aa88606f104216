import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdoptedIds } from '../reconcile/adopted.ts'
import { keepClearOf } from './foreign-ids.ts'

const none: AdoptedIds = {
  servicePorts: [],
  members: [],
  blockedBackends: new Set([9]),
  blockedServicePorts: new Set(),
  strays: [],
  generations: new Map(),
}
const limits = { maxBackendId: 10, maxServicePortId: 5 }

for (const { name, foreign, blocked } of [
  { name: 'none are known: what sockets remember is kept clear of', foreign: [0, 0], blocked: [[9], []] },
  {
    name: 'all up to the highest are kept clear of',
    foreign: [3, 2],
    blocked: [
      [9, 1, 2, 3],
      [1, 2],
    ],
  },
  { name: 'not where that is more than half of all ids', foreign: [6, 3], blocked: [[9], []] },
] as const)
  test(`ids of programs that nobody can name: ${name}`, () => {
    const [maxBackend, maxServicePort] = foreign
    const ids = keepClearOf({ maxBackend, maxServicePort }, none, limits)
    assert.deepEqual([[...ids.blockedBackends], [...ids.blockedServicePorts]], blocked)
  })
