import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  cidrContains,
  formatIp,
  formatIpv6,
  isLoopback,
  isUnspecified,
  maskIpv4,
  maskIpv6,
  parseCidr,
  parseIp,
  parseIpv4,
  parseIpv6,
} from './address.ts'

const ip = (text: string) => {
  const parsed = parseIp(text)
  assert(parsed !== undefined, text)
  return parsed
}

describe('addresses', () => {
  it('parses what is one and nothing else', () => {
    assert.equal(parseIpv4('10.96.0.10'), 0x0a60000a)
    assert.equal(parseIpv4('255.255.255.255'), 0xffffffff)
    for (const bad of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1..2.3', 'a.b.c.d', '1.2.3.4 ', '::1'])
      assert.equal(parseIpv4(bad), undefined, bad)
    for (const bad of [
      '',
      ':',
      '1:2:3',
      ':::',
      '1::2::3',
      '12345::',
      'g::',
      '::1%lo',
      '1:2:3:4:5:6:7:8:9',
      '1.2.3.4',
      '1.2.3.4::',
    ])
      assert.equal(parseIpv6(bad), undefined, bad)
  })

  it('prints IPv6 as RFC 5952 says', () => {
    const cases: [string, string][] = [
      ['::', '::'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['FD00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['1:0:0:2:3:4:0:0', '1::2:3:4:0:0'],
      ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
      ['::ffff:a00:1', '::ffff:10.0.0.1'],
      ['fe80::', 'fe80::'],
    ]
    for (const [text, expected] of cases) assert.equal(formatIp(ip(text)), expected)
  })

  it('parses what it prints', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
        assert.deepEqual(parseIpv6(formatIpv6(bytes)), bytes)
      }),
    )
    fc.assert(
      fc.property(fc.ipV4(), text => {
        assert.equal(formatIp(ip(text)), text)
      }),
    )
  })

  it('knows loopback and unspecified addresses', () => {
    for (const text of ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.2'])
      assert(isLoopback(ip(text)), text)
    for (const text of ['128.0.0.1', '10.0.0.127', '::2', '::ffff:10.127.0.1'])
      assert(!isLoopback(ip(text)), text)
    assert(isUnspecified(ip('0.0.0.0')))
    assert(isUnspecified(ip('::')))
    assert(!isUnspecified(ip('::1')))
  })

  it('matches CIDRs', () => {
    const contains = (cidr: string, address: string): boolean => {
      const parsed = parseCidr(cidr)
      assert(parsed !== undefined, cidr)
      return cidrContains(parsed, ip(address))
    }
    assert(contains('10.96.0.0/12', '10.111.255.255'))
    assert(!contains('10.96.0.0/12', '10.112.0.0'))
    assert(contains('0.0.0.0/0', '255.1.1.1'))
    assert(!contains('0.0.0.0/0', '::1'))
    assert(contains('192.168.1.7/32', '192.168.1.7'))
    assert(contains('fd00::/108', 'fd00::f:1'))
    assert(!contains('fd00::/108', 'fd00::10:1'))
    assert(contains('::/0', 'fd00::10:1'))
    for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', '10.0.0.0/8/8', '10.0.0.0/x'])
      assert.equal(parseCidr(bad), undefined, bad)
    assert.equal(maskIpv4(0), 0)
    assert.equal(maskIpv4(12), 0xfff00000)
    assert.equal(formatIpv6(maskIpv6(61)), 'ffff:ffff:ffff:fff8::')
    assert.equal(formatIpv6(maskIpv6(128)), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
  })
})
