import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipBytes, parseCIDR } from '@kpng/api'
import { OutsideFilter } from './outside-filter.ts'
import { fakeMaps } from './testing/fake-maps.ts'

const cidrs = (...texts: string[]) => texts.map(parseCIDR).filter(cidr => cidr !== undefined)

/** The filter on a map of its own, and which words have bits. */
function made() {
  const { outside } = fakeMaps()
  const filter = new OutsideFilter(outside)
  const bits = (): number => {
    let count = 0
    for (let word = 0; word < 64; word++) count += outside.load64(word).toString(2).replaceAll('0', '').length
    return count
  }
  return { outside, filter, bits }
}

describe('the filter of addresses outside of ServiceCIDRs', () => {
  test('is not written before somebody may believe it, and then has those outside', () => {
    const { filter, bits } = made()
    for (const address of ['10.96.0.1', '192.0.2.1', 'fd00::1', '2001:db8::1']) filter.enter(address)
    assert.equal(bits(), 0)
    filter.setCidrs(cidrs('10.96.0.0/16', 'fd00::/112'))
    assert.equal(bits(), 2)
    filter.enter('192.0.2.2')
    filter.enter('10.96.0.2')
    assert.equal(bits(), 3)
  })

  test('gets the bits of those that a CIDR leaves outside before that is in force', () => {
    const { filter, bits } = made()
    filter.setCidrs(cidrs('10.96.0.0/16'))
    filter.enter('10.96.0.1')
    assert.equal(bits(), 0)
    filter.setCidrs([])
    assert.equal(bits(), 1)
  })

  test('keeps bits that are too many until verification', () => {
    const { filter, bits } = made()
    filter.setCidrs([])
    filter.enter('192.0.2.1')
    filter.enter('10.96.0.1')
    filter.leave('192.0.2.1')
    filter.setCidrs(cidrs('10.96.0.0/16'))
    assert.equal(bits(), 2)
    assert.equal(filter.verify(), 0)
    assert.equal(bits(), 0)
  })

  test('that lacks a bit is repaired, and says so', () => {
    const { filter, outside, bits } = made()
    filter.adopt('192.0.2.1')
    filter.adoptCidrs([])
    assert.equal(filter.verify(), 1)
    assert.deepEqual([bits(), filter.verify()], [1, 0])
    outside.store64(63, 2n ** 63n)
    assert.deepEqual([filter.verify(), bits() <= 2], [0, true])
  })

  test('takes addresses of a family that no CIDR is of for outside', () => {
    const { filter, bits } = made()
    filter.setCidrs(cidrs('10.96.0.0/16'))
    filter.enter('fd00::1')
    assert.equal(bits(), 1)
    assert.equal(ipBytes('fd00::1').length, 16)
  })
})
