import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeAddresses } from './node-addresses.ts'

const ofNode = ['172.30.0.1', 'fd00:30::1', '203.0.113.1']
const cases: [string, string, string[]][] = [
  ['as the Node says', '', ofNode],
  ['0.0.0.0 says nothing', '0.0.0.0', ofNode],
  [':: says nothing', '::', ofNode],
  ['a bind address comes first', '192.0.2.1', ['192.0.2.1', ...ofNode]],
  ['one that the Node has too', '203.0.113.1', ['203.0.113.1', '172.30.0.1', 'fd00:30::1']],
  ['the other family keeps its own', 'fd00:31::1', ['fd00:31::1', ...ofNode]],
]
for (const [title, bindAddress, expected] of cases) {
  test(`[KP-5.9] addresses of the node: ${title}`, () => {
    assert.deepEqual(nodeAddresses(bindAddress, ofNode), expected)
  })
}
