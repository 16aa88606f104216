import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveCapabilities, holds, requireCapabilities } from './capabilities.ts'

const all = 0x1ffffffffffn
const without = (...numbers: number[]): bigint =>
  numbers.reduce((left, bit) => left & ~(1n << BigInt(bit)), all)

test('capabilities are read as the kernel prints them', () => {
  assert.equal(effectiveCapabilities('CapPrm:\t00ff\nCapEff:\t000001ffffffffff\n'), all)
  assert.equal(effectiveCapabilities('Name:\tx\n'), 0n)
})

test('CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, nothing else does', () => {
  assert.ok(holds(without(39, 38), 'BPF') && holds(without(39, 38), 'PERFMON'))
  assert.ok(!holds(without(39, 21), 'BPF'))
  assert.ok(!holds(without(12), 'NET_ADMIN'))
})

test('all that is missing is told at once', () => {
  assert.throws(() => requireCapabilities(0n), /CAP_BPF .*CAP_NET_ADMIN .*CAP_PERFMON .*CAP_SYS_ADMIN /)
  assert.throws(() => requireCapabilities(without(12)), {
    code: 'unsupported',
    message: /lacks CAP_NET_ADMIN \(/,
  })
})

test('what an agent can do without is given back', () => {
  assert.deepEqual(requireCapabilities(all), [])
  assert.deepEqual(
    requireCapabilities(without(19)).map(({ name }) => name),
    ['SYS_PTRACE'],
  )
})
