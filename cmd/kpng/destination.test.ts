import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAddressPort } from '@kpng/api'
import { parseDestination } from './destination.ts'

for (const [text, address, port, protocol] of [
  ['10.96.0.10:53/udp', '10.96.0.10', 53, 'UDP'],
  ['10.96.0.10:53', '10.96.0.10', 53, 'TCP'],
  ['[fd00:0::1]:80/TCP', 'fd00::1', 80, 'TCP'],
  ['[::ffff:10.0.0.1]:80', '10.0.0.1', 80, 'TCP'],
  ['[::ffff:200.1.2.255]:80', '200.1.2.255', 80, 'TCP'],
] as const) {
  test(`destination: ${text}`, () => assert.deepEqual(parseDestination(text), { address, port, protocol }))
}

for (const text of [
  '',
  '10.0.0.1',
  '10.0.0.1:0',
  '10.0.0.1:70000',
  '10.0.0:80',
  'fd00::1:80',
  '[fd00::g]:80',
  '[fe80::1%lo]:80',
  '010.0.0.1:80',
  '[10.0.0.1]:80',
  '10.0.0.1:80/ftp',
  'name:80',
]) {
  test(`destination: "${text}" is refused by name`, () =>
    assert.throws(() => parseDestination(text), {
      code: 'usage',
      message: new RegExp(`destination "${text.replace(/[.[\]]/g, '\\$&')}"`),
    }))
}

test('address and port: IPv6 in brackets', () => {
  assert.equal(formatAddressPort('fd00::1', 80), '[fd00::1]:80')
  assert.equal(formatAddressPort('10.0.0.1', 80), '10.0.0.1:80')
})
