import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenAddresses } from './listen-addresses.ts'

const node = {
  primary: ['192.168.1.4', 'fd00::4'],
  interfaces: ['127.0.0.1', '192.168.1.4', '10.1.1.1', '192.168.1.4', '::1', 'fd00::4', 'fd11::4'],
}
const without6 = { ...node, primary: ['192.168.1.4'] }
const elsewhere = { ...node, primary: ['198.51.100.1'] }

for (const [name, family, choice, given, expected] of [
  ['the primary address', 'IPv4', 'primary', node, ['192.168.1.4']],
  ['the primary address', 'IPv6', 'primary', node, ['fd00::4']],
  ['no primary address of the family: all', 'IPv6', 'primary', without6, ['::']],
  ['a primary address that no interface has: none', 'IPv4', 'primary', elsewhere, []],
  [
    'addresses inside CIDRs, each once',
    'IPv4',
    ['192.168.0.0/16', '10.0.0.0/8'],
    node,
    ['10.1.1.1', '192.168.1.4'],
  ],
  ['CIDRs of the other family only: all', 'IPv6', ['10.0.0.0/8'], node, ['::']],
  ['no CIDR at all: all', 'IPv4', [], node, ['0.0.0.0']],
  ['a CIDR that holds everything: all', 'IPv4', ['10.0.0.0/8', '0.0.0.0/0'], node, ['0.0.0.0']],
  ['a CIDR that holds nothing here: none', 'IPv4', ['198.51.100.0/24'], node, []],
  ['loopback where it is asked for', 'IPv4', ['127.0.0.0/8'], node, ['127.0.0.1']],
  ['IPv6 CIDRs', 'IPv6', ['fd00::/8', '10.0.0.0/8'], node, ['fd00::4', 'fd11::4']],
] as const)
  test(`[KP-8.2.1] health of Services, ${family}: ${name}`, () => {
    assert.deepEqual(listenAddresses(family, choice, given), expected)
  })
