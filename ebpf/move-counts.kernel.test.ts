import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMap } from './bpf-map.ts'
import { array, u64 } from './codec.ts'
import { memoryMap } from './memory-map.ts'
import { moveCounts } from './move-counts.ts'
import { MapFlag, MapType } from './sys/bpf-enum.ts'
import { failOnLeakedFds } from './testing.ts'

failOnLeakedFds()

const counters = (maxEntries: number, words = 2, flags: number = MapFlag.MMAPABLE) =>
  createMap({
    ...{ name: 'counters', type: MapType.ARRAY, keySize: 4, maxEntries, flags },
    valueSize: words * 8,
  })
const pair = array(u64, 2)

test('counts are added to those of the same index, below zero too, and leave nothing behind', () => {
  using old = counters(1000)
  using grown = counters(2000)
  const [from, to] = [memoryMap(old, pair), memoryMap(grown, pair)]
  const minusTwo = BigInt.asUintN(64, -2n)
  from.write(0, [[1n, 2n]])
  from.write(999, [[5n, 0n]])
  to.write(0, [[10n, minusTwo]])
  to.write(1999, [[7n, 7n]])
  moveCounts(old, grown)
  moveCounts(old, grown)
  assert.deepEqual(
    [to.read(0), to.read(999), to.read(1999)],
    [
      [11n, 0n],
      [5n, 0n],
      [7n, 7n],
    ],
  )
  assert.deepEqual(
    [from.read(0), from.read(999)],
    [
      [0n, 0n],
      [0n, 0n],
    ],
  )
})

test('what does not fit into a smaller map stays where it is', () => {
  using old = counters(1000)
  using small = counters(10)
  const [from, to] = [memoryMap(old, pair), memoryMap(small, pair)]
  from.write(9, [
    [1n, 1n],
    [2n, 2n],
  ])
  moveCounts(old, small)
  assert.deepEqual(
    [to.read(9), from.read(9), from.read(10)],
    [
      [1n, 1n],
      [0n, 0n],
      [2n, 2n],
    ],
  )
})

test('maps of another layout, or that memory cannot be shared with, are refused', () => {
  using map = counters(10)
  using wider = counters(10, 3)
  using plain = counters(10, 2, 0)
  assert.throws(() => moveCounts(map, wider), { code: 'LAYOUT', message: /16 bytes an entry, counters 24/ })
  assert.throws(() => moveCounts(plain, map), { code: 'LAYOUT', message: /no MMAPABLE array/ })
})
