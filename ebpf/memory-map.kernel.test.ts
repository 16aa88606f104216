import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMap } from './bpf-map.ts'
import { bytes, u32, u64 } from './codec.ts'
import { keyedMap } from './keyed-map.ts'
import type { MapOperation } from './map.ts'
import { memoryMap } from './memory-map.ts'
import { MapFlag, MapType } from './sys/bpf-enum.ts'
import { failOnLeakedFds } from './testing.ts'

failOnLeakedFds()

const create = (maxEntries: number, valueSize = 8) =>
  createMap({ name: 'test', type: MapType.ARRAY, keySize: 4, valueSize, maxEntries, flags: MapFlag.MMAPABLE })

test('what is stored in memory is what the kernel finds, and the other way round', () => {
  using map = create(1000)
  const memory = memoryMap(map, u64)
  const calls = keyedMap(map, u32, u64)
  memory.store64(7, 0x1122334455667788n)
  memory.write(998, [5n, 6n])
  assert.deepEqual([calls.lookup(7), calls.lookup(998), calls.lookup(999)], [0x1122334455667788n, 5n, 6n])
  calls.update(3, 9n)
  assert.deepEqual([memory.read(3), memory.load64(3)], [9n, 9n])
})

test('entries lie at multiples of 8 bytes, whatever their size', () => {
  using map = create(10, 12)
  const memory = memoryMap(map, bytes(12))
  assert.equal(memory.stride, 16)
  const value = Uint8Array.from({ length: 12 }, (_, index) => index + 1)
  memory.write(9, [value])
  assert.deepEqual(keyedMap(map, u32, bytes(12)).lookup(9), value)
  assert.throws(() => memory.store64(0, 1n), { code: 'INVALID', message: /16 bytes, not one word/ })
  assert.throws(() => memory.load64(0), { code: 'INVALID' })
})

test('nothing beyond the array can be touched', () => {
  using map = create(4)
  const memory = memoryMap(map, u64)
  for (const index of [-1, 4, 1.5, Number.NaN, 2 ** 40]) {
    assert.throws(() => memory.read(index), { code: 'MAP_FULL' })
    assert.throws(() => memory.store64(index, 1n), { code: 'MAP_FULL' })
  }
  assert.throws(() => memory.write(3, [1n, 2n]), { code: 'MAP_FULL', message: 'map test: entry 3 to 4 of 4' })
  assert.equal(memory.read(3), 0n)
})

test('the mapping ends with the map', () => {
  const map = create(4)
  const memory = memoryMap(map, u64)
  map[Symbol.dispose]()
  assert.throws(() => memory.read(0), { code: 'CLOSED' })
  assert.throws(() => memory.store64(0, 1n), { code: 'CLOSED' })
})

test('maps that cannot be mapped are refused with the reason', () => {
  using plain = createMap({ name: 'plain', type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 })
  assert.throws(() => memoryMap(plain, u64), { code: 'LAYOUT', message: 'map plain is no MMAPABLE array' })
  using map = create(1)
  assert.throws(() => memoryMap(map, u32), { code: 'LAYOUT', message: /codec has 4 bytes, the map 8/ })
})

test('an observer counts copied entries as one write, and can prevent it', () => {
  using map = create(100)
  const seen: string[] = []
  const observer = ({ kind, entries }: MapOperation): void => {
    if (entries === 3) throw new Error('no')
    seen.push(`${kind} ${entries}`)
  }
  const memory = memoryMap(map, u64, { observer })
  memory.write(
    0,
    Array.from({ length: 50 }, () => 1n),
  )
  memory.store64(0, 2n)
  memory.read(0)
  assert.throws(() => memory.write(60, [1n, 2n, 3n]), /no/)
  assert.equal(memory.read(60), 0n)
  assert.deepEqual(seen, ['write 50', 'store64 1', 'lookup 1', 'lookup 1'])
})

test('many mappings made and dropped do not disturb each other', () => {
  for (let round = 0; round < 50; round++) {
    using map = create(600)
    const memory = memoryMap(map, u64)
    assert.equal(memory.read(0), 0n)
    memory.write(
      0,
      Array.from({ length: 600 }, (_, index) => BigInt(round * index)),
    )
    assert.equal(memory.read(599), BigInt(round * 599))
  }
})
