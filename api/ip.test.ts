import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  canonicalCIDR,
  canonicalIP,
  cidrContains,
  classifyIP,
  familyOfBytes,
  formatIP,
  formatIPv4,
  ipBytes,
  ipFamily,
  parseCIDR,
  parseIP,
  parseIPv4,
} from './ip.ts'

describe('addresses', () => {
  const good: [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.1.1.1', '10.1.1.1'],
    ['172.30.0.041', '172.30.0.41'],
    ['0000000000000001.2.3.4', '1.2.3.4'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80::', 'fe80::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['FD00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
    ['1:0:0:2:3:4:0:0', '1::2:3:4:0:0'],
    ['FD00:10:96::CD8', 'fd00:10:96::cd8'],
    ['fd00:0010:0096:0000:0000:0000:0000:0cd8', 'fd00:10:96::cd8'],
    ['00fd00::1', 'fd00::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['::ffff:010.0.0.1', '10.0.0.1'],
    ['::10.0.0.1', '::a00:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
  ]
  for (const [text, canonical] of good) {
    it(`[KP-1.14] ${text} is ${canonical}`, () => assert.equal(canonicalIP(text), canonical))
  }

  const bad = [
    '',
    'x',
    '1',
    '1.2.3',
    '1..2.3',
    'a.b.c.d',
    '1:2:3',
    '12345::',
    'g::',
    '::1%lo',
    '1.2.3.4::',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-4',
    '1..3.4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '1.2.3.4/24',
    ':',
    ':::',
    '1:2',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4::5:6:7:8',
    'fe80::1%eth0',
    '10000::1',
    '::1:',
    ':1::',
    '::1.2.3',
    '1:2:3:4:5:6:7:1.2.3.4',
    '99999999.1.1.1',
  ]
  for (const text of bad) {
    it(`[KP-1.14] ${JSON.stringify(text)} is no address`, () => assert.equal(canonicalIP(text), undefined))
  }

  it('an IPv4-mapped address is IPv4 in family and bytes', () => {
    assert.deepEqual(ipBytes('::ffff:10.0.0.1'), Uint8Array.of(10, 0, 0, 1))
    assert.equal(ipFamily(canonicalIP('::ffff:10.0.0.1') ?? ''), 'IPv4')
    assert.equal(ipFamily('fd00::1'), 'IPv6')
    assert.equal(familyOfBytes(ipBytes('::ffff:10.0.0.1')), 'IPv4')
    assert.equal(familyOfBytes(ipBytes('fd00::1')), 'IPv6')
  })

  it('bytes of other text throw', () => assert.throws(() => ipBytes('example.com'), RangeError))

  it('IPv4 alone is a number', () => {
    assert.equal(parseIPv4('10.96.0.10'), 0x0a60000a)
    assert.equal(parseIPv4('255.255.255.255'), 0xffffffff)
    for (const bad of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1..2.3', 'a.b.c.d', '1.2.3.4 ', '::1'])
      assert.equal(parseIPv4(bad), undefined, bad)
    fc.assert(
      fc.property(fc.ipV4(), text => {
        const value = parseIPv4(text) ?? assert.fail(text)
        assert.equal(formatIPv4(value), text)
        assert.deepEqual(parseIP(text), Uint8Array.of(...text.split('.').map(Number)))
      }),
    )
  })

  const address = fc.oneof(fc.ipV4(), fc.ipV6())
  it('whatever Node takes for an address parses, and prints to a fixed point', () => {
    fc.assert(
      fc.property(address, text => {
        const bytes = parseIP(text)
        assert.ok(bytes !== undefined && isIP(text) !== 0)
        const canonical = formatIP(bytes)
        assert.equal(canonicalIP(canonical), canonical)
        assert.deepEqual(ipBytes(canonical), bytes)
        if (isIP(text) === 6 && bytes.length === 16) {
          assert.equal(new URL(`http://[${text}]/`).hostname, `[${canonical}]`)
        }
      }),
    )
  })

  it('any text at all does not throw', () => {
    const chars = fc.constantFrom(...'0123456789abcdefx.:/% ')
    fc.assert(
      fc.property(fc.string({ unit: chars, maxLength: 24 }), text => {
        parseIP(text)
        parseCIDR(text)
      }),
    )
  })
})

describe('CIDRs', () => {
  const table: [string, string | undefined][] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['010.1.2.3/016', '10.1.0.0/16'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['FD00:10:96::1/112', 'fd00:10:96::/112'],
    ['fd00:10:96::1/128', 'fd00:10:96::1/128'],
    ['::ffff:10.1.2.3/120', '10.1.2.0/24'],
    ['::ffff:10.1.2.3/95', '::fffe:0:0/95'],
    ['10.0.0.0/33', undefined],
    ['fd00::/129', undefined],
    ['10.0.0.0', undefined],
    ['10.0.0/8', undefined],
    ['10.0.0.0/8/8', undefined],
    ['10.0.0.0/x', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/8 ', undefined],
    ['10.0.0.0/-1', undefined],
    ['x/8', undefined],
  ]
  for (const [text, canonical] of table) {
    it(`[KP-1.14] ${text} is ${canonical ?? 'no CIDR'}`, () => assert.equal(canonicalCIDR(text), canonical))
  }

  it('contains its own addresses only', () => {
    const has = (cidr: string, ip: string) => cidrContains(parseCIDR(cidr) ?? assert.fail(), ipBytes(ip))
    assert.equal(has('10.0.0.0/9', '10.127.255.255'), true)
    assert.equal(has('10.0.0.0/9', '10.128.0.0'), false)
    assert.equal(has('0.0.0.0/0', '192.0.2.1'), true)
    assert.equal(has('0.0.0.0/0', 'fd00::1'), false)
    assert.equal(has('10.96.0.0/12', '10.111.255.255'), true)
    assert.equal(has('10.96.0.0/12', '10.112.0.0'), false)
    assert.equal(has('0.0.0.0/0', '255.1.1.1'), true)
    assert.equal(has('192.168.1.7/32', '192.168.1.7'), true)
    assert.equal(has('192.168.1.7/32', '192.168.1.6'), false)
    assert.equal(has('fd00::/108', 'fd00::f:1'), true)
    assert.equal(has('fd00::/108', 'fd00::10:1'), false)
    assert.equal(has('::/0', 'fd00::10:1'), true)
    assert.equal(has('fd00::/15', 'fd01::1'), true)
    assert.equal(has('fd00::/16', 'fd01::1'), false)
  })
})

describe('what an address is good for', () => {
  const table: [string, ReturnType<typeof classifyIP>][] = [
    ['0.0.0.0', 'unspecified'],
    ['0.0.0.1', 'ordinary'],
    ['127.0.0.1', 'loopback'],
    ['127.255.0.1', 'loopback'],
    ['128.0.0.1', 'ordinary'],
    ['10.0.0.127', 'ordinary'],
    ['::ffff:10.127.0.1', 'ordinary'],
    ['169.254.1.1', 'link-local'],
    ['224.0.0.1', 'multicast'],
    ['239.1.1.1', 'multicast'],
    ['10.0.0.1', 'ordinary'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::2', 'ordinary'],
    ['fe80::1', 'link-local'],
    ['febf::1', 'link-local'],
    ['fec0::1', 'ordinary'],
    ['ff02::1', 'multicast'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['fd00::1', 'ordinary'],
  ]
  for (const [text, kind] of table) {
    it(`${text}: ${kind}`, () => assert.equal(classifyIP(ipBytes(text)), kind))
  }
})
