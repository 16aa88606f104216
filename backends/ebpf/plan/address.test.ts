import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatIPv6, maskIPv4, maskIPv6, numberOfIPv4, parseIPv6 } from './address.ts'

const ipv6 = (text: string): Uint8Array => parseIPv6(text) ?? assert.fail(text)

describe('addresses in the maps', () => {
  it('parses what is an IPv6 address and nothing else', () => {
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
      assert.equal(parseIPv6(bad), undefined, bad)
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
    for (const [text, expected] of cases) assert.equal(formatIPv6(ipv6(text)), expected)
  })

  it('parses what it prints', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
        assert.deepEqual(parseIPv6(formatIPv6(bytes)), bytes)
      }),
    )
    assert.deepEqual(ipv6('::ffff:10.0.0.1'), Uint8Array.of(...new Uint8Array(10), 0xff, 0xff, 10, 0, 0, 1))
  })

  it('has IPv4 as a number in host order', () => {
    assert.equal(numberOfIPv4(Uint8Array.of(10, 96, 0, 10)), 0x0a60000a)
    assert.equal(numberOfIPv4(Uint8Array.of(1, 255, 254, 253, 252).subarray(1)), 0xfffefdfc)
  })

  it('has the mask of a prefix length', () => {
    assert.equal(maskIPv4(0), 0)
    assert.equal(maskIPv4(12), 0xfff00000)
    assert.equal(formatIPv6(maskIPv6(61)), 'ffff:ffff:ffff:fff8::')
    assert.equal(formatIPv6(maskIPv6(128)), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
  })
})
