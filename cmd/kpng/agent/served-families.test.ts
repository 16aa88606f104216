import assert from 'node:assert/strict'
import { test } from 'node:test'
import { servedFamilies } from './served-families.ts'

for (const [name, interfaces, disabled, expected] of [
  ['a kernel with IPv6', '…', '0\n', ['IPv4', 'IPv6']],
  ['IPv6 without any interface yet', '', undefined, ['IPv4', 'IPv6']],
  ['IPv6 switched off', '…', '1\n', ['IPv4']],
  ['a kernel without IPv6', undefined, undefined, ['IPv4']],
] as const)
  test(`[KP-6.9] families: ${name}`, () => {
    assert.deepEqual(
      servedFamilies(path => (path.endsWith('if_inet6') ? interfaces : disabled)),
      expected,
    )
  })
