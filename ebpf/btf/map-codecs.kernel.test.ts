import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createMap } from '../bpf-map.ts'
import { EbpfError } from '../error.ts'
import { keyedMap } from '../keyed-map.ts'
import { loadObject } from '../object.ts'
import { MapType } from '../sys/bpf-enum.ts'
import { testObject } from '../testdata/build.ts'
import { failOnLeakedFds } from '../testing.ts'
import { Btf } from './btf.ts'
import type { DynamicRecord } from './dynamic-codec.ts'
import { mapCodecs } from './map-codecs.ts'

failOnLeakedFds()

test('a map in the kernel is read and written by the names of its own BTF', () => {
  using object = loadObject(testObject('kinds'), { programs: ['first'] })
  const map = object.map('pairs')
  const codecs = mapCodecs(map.info)
  const pairs = keyedMap(map, codecs.key, codecs.value)
  const value = [
    { x: 1, y: -1 },
    { x: 2 ** 31 - 1, y: -(2 ** 31) },
  ]
  pairs.update(0x0a000001, value)
  assert.deepEqual([...pairs.entries()], [[0x0a000001, value]])
})

test('a map keeps every kind of field, where the object said that it is', () => {
  using object = loadObject(testObject('kinds'), { programs: ['first'] })
  const map = object.map('by_address')
  const { btf, key, value } = mapCodecs(map.info)
  assert.equal(value.size, map.info.valueSize)
  const compiled = Btf.fromElf(readFileSync(testObject('kinds')))
  // The ids of types differ between the object and the kernel; names and places must not.
  assert.deepEqual(placesIn(btf), placesIn(compiled))
  const zeroes = value.decode(new DataView(new ArrayBuffer(value.size)), 0) as DynamicRecord
  const written = {
    ...zeroes,
    name: 'kpng',
    on: true,
    port: 443,
    low: 5,
    middle: -3,
    wide: 2n ** 39n,
    ratio: 0.5,
  }
  const byAddress = keyedMap(map, key, value)
  const address = new Uint8Array(16).fill(7)
  byAddress.update(address, written)
  assert.deepEqual(byAddress.lookup(address), written)
})

function placesIn(btf: Btf) {
  const type = btf.type(btf.idOf('kinds'))
  assert.ok(type.kind === 'struct')
  return type.members.map(({ name, bitOffset, bits }) => ({ name, bitOffset, bits }))
}

test('a map that was made without BTF says so', () => {
  using map = createMap({ name: 'bare', type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 })
  assert.throws(
    () => mapCodecs(map.info),
    error =>
      error instanceof EbpfError &&
      error.code === 'NOT_FOUND' &&
      /bare was made without BTF/.test(error.message),
  )
})

test("the kernel's own BTF is read whole", () => {
  const kernel = Btf.parse(readFileSync('/sys/kernel/btf/vmlinux'), 'vmlinux')
  const sock = kernel.type(kernel.idOf('sock'))
  assert.ok(sock.kind === 'struct' && sock.members.some(member => member.name === '__sk_common'))
  assert.equal(kernel.sizeOf(kernel.idOf('in6_addr')), 16)
})
