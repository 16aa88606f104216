import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enumPrefix, typeName, valueName } from './names.ts'

test('C names become TypeScript names', () => {
  assert.equal(typeName('svc4_key'), 'Svc4Key')
  assert.equal(valueName('svc4_key'), 'svc4Key')
})

test('words that TypeScript or the bindings need get an underscore', () => {
  assert.equal(valueName('default'), 'default_')
  assert.equal(valueName('u32', new Set(['u32'])), 'u32_')
})

test('the prefix that all values of an enum share is found at an underscore', () => {
  assert.equal(enumPrefix('reason', ['REASON_NOT_A_SERVICE', 'REASON_NO_ENDPOINTS']), 'REASON_')
  assert.equal(enumPrefix('kind', ['RSK_BY_VIP', 'RSK_BY_BACKEND']), 'RSK_BY_')
  assert.equal(enumPrefix('version', ['LAYOUT_VERSION', 'RECORD_VERSION']), '')
  assert.equal(enumPrefix('addr_flag', ['ADDR_A', 'ADDR_AB']), 'ADDR_')
})

test('a single value loses what it shares with the name of its enum', () => {
  assert.equal(enumPrefix('udp_flow_flag', ['UDP_FLOW_USED']), 'UDP_FLOW_')
  assert.equal(enumPrefix('limit', ['SLOTS']), '')
})

test('no value is left without a letter at its beginning', () => {
  assert.equal(enumPrefix('size', ['SIZE_4', 'SIZE_16']), '')
})
