import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalIP } from '@kpng/api'
import { interfaceAddress } from './address.ts'

test('addresses are read as Kubernetes reads them, and printed canonically', () => {
  for (const [text, canonical] of [
    ['10.0.0.1', '10.0.0.1'],
    ['010.001.000.0100', '10.1.0.100'],
    ['100.0.0.0', '100.0.0.0'],
    ['FD00:0:0::0a', 'fd00::a'],
    ['::ffff:010.1.1.01', '10.1.1.1'],
    ['::1:f', '::1:f'],
    ['64:ff9b::192.0.2.033', '64:ff9b::c000:221'],
    ['010.1.1', undefined],
    ['0x10.1.1.1', undefined],
    ['10.1.1.0256', undefined],
    ['.010.1.1.1', undefined],
    ['fe80::1%eth0', undefined],
  ] as const)
    assert.equal(canonicalIP(text), canonical, text)
})

test('an interface address keeps its host bits; without a length it is one address', () => {
  assert.equal(interfaceAddress('010.1.2.3/24'), '10.1.2.3/24')
  assert.equal(interfaceAddress(' 2001:DB8::0:2/64'), '2001:db8::2/64')
  assert.equal(interfaceAddress('192.168.5.5'), '192.168.5.5/32')
  for (const text of ['10.0.0.5/33', 'bad/24', '', '10.0.0.1/'])
    assert.equal(interfaceAddress(text), undefined, text)
})
