import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createMap } from './bpf-map.ts'
import { u8, u32, u64 } from './codec.ts'
import { EbpfError } from './error.ts'
import { keyedMap, perCpuMap } from './keyed-map.ts'
import type { Codec, MapOperation } from './map.ts'
import { possibleCpus } from './per-cpu.ts'
import { Command, MapFlag, MapType } from './sys/bpf-enum.ts'
import { ENOTSUPP } from './sys/errno.ts'
import { failOnLeakedFds, interceptSyscalls } from './testing.ts'

failOnLeakedFds()

const create = (type: MapType, maxEntries: number, flags = 0) =>
  createMap({ name: 'test', type, keySize: 4, valueSize: 8, maxEntries, flags })

const range = (count: number): Array<[number, bigint]> =>
  Array.from({ length: count }, (_, index) => [index, BigInt(index) * 3n])

const sorted = <V>(entries: Iterable<[number, V]>): Array<[number, V]> =>
  [...entries].sort(([a], [b]) => a - b)

/** A kernel before 5.6 for maps, or a type of map without batches. */
const withoutBatches = (errno: number) => {
  const batches: unknown[] = [Command.MAP_LOOKUP_BATCH, Command.MAP_UPDATE_BATCH, Command.MAP_DELETE_BATCH]
  const counted = { refused: 0 }
  const hook = interceptSyscalls((name, [command]) => {
    if (name !== 'bpf' || !batches.includes(command)) return undefined
    counted.refused++
    return -errno
  })
  return Object.assign(counted, { [Symbol.dispose]: () => hook[Symbol.dispose]() })
}

const thrownBy = (run: () => unknown): EbpfError => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof EbpfError)
    return error
  }
  assert.fail('nothing was thrown')
}

describe('a hash map', () => {
  test('gives back what was written, and nothing for keys that are not there', () => {
    using map = create(MapType.HASH, 10)
    const typed = keyedMap(map, u32, u64)
    typed.update(1, 7n)
    assert.equal(typed.lookup(1), 7n)
    assert.equal(typed.lookup(2), undefined)
    assert.equal(typed.delete(1), true)
    assert.equal(typed.delete(1), false)
    assert.equal(typed.lookup(1), undefined)
    assert.deepEqual([typed.name, typed.maxEntries], ['test', 10])
  })

  test('creates only and replaces only when told so', () => {
    using map = create(MapType.HASH, 10)
    const typed = keyedMap(map, u32, u64)
    assert.throws(() => typed.update(1, 1n, 'replace'), { code: 'NOT_FOUND', errno: 'ENOENT' })
    typed.update(1, 1n, 'create')
    assert.throws(() => typed.update(1, 2n, 'create'), { code: 'EXISTS', errno: 'EEXIST' })
    typed.update(1, 2n, 'replace')
    assert.equal(typed.lookup(1), 2n)
  })

  test('that is full says so by name and size', () => {
    using map = create(MapType.HASH, 2, MapFlag.NO_PREALLOC)
    const typed = keyedMap(map, u32, u64)
    typed.update(1, 1n)
    typed.update(2, 1n)
    assert.throws(() => typed.update(3, 1n), { code: 'MAP_FULL', message: /map test \(2 entries\).*E2BIG/ })
    typed.update(2, 5n)
  })

  test('takes and deletes more than one batch call carries', () => {
    using map = create(MapType.HASH, 50_000, MapFlag.NO_PREALLOC)
    const typed = keyedMap(map, u32, u64)
    const entries = range(50_000)
    let calls = 0
    {
      using _ = interceptSyscalls(() => void calls++)
      typed.updateBatch(entries)
    }
    assert.ok(calls < 10, `${calls} calls`)
    assert.deepEqual(sorted(typed.entries()), entries)
    assert.equal(typed.deleteBatch(Array.from({ length: 60_000 }, (_, index) => index * 2)), 25_000)
    assert.deepEqual(
      sorted(typed.entries()),
      entries.filter(([key]) => key % 2 === 1),
    )
  })

  for (const [how, errno] of [
    ['batches', 0],
    ['single calls (5.5)', 22],
    ['single calls (no batches for the type)', ENOTSUPP],
  ] as const) {
    test(`filled up in the middle of a batch, tells how much is in it: ${how}`, () => {
      using map = create(MapType.HASH, 100, MapFlag.NO_PREALLOC)
      const typed = keyedMap(map, u32, u64)
      using _ = errno === 0 ? undefined : withoutBatches(errno)
      const error = thrownBy(() => typed.updateBatch(range(250)))
      assert.deepEqual([error.code, error.written], ['MAP_FULL', 100])
      assert.deepEqual(sorted(typed.entries()), range(100))
    })
  }

  test('a batch that fails beyond its first call counts from the beginning', () => {
    using map = create(MapType.HASH, 30_000, MapFlag.NO_PREALLOC)
    const error = thrownBy(() => keyedMap(map, u32, u64).updateBatch(range(40_000)))
    assert.deepEqual([error.code, error.written], ['MAP_FULL', 30_000])
  })

  test('a batch with a value that does not fit tells what was written before, also without batch calls', () => {
    for (const errno of [0, 22]) {
      using map = create(MapType.HASH, 50_000, MapFlag.NO_PREALLOC)
      const typed = keyedMap(map, u32, u64)
      using _ = errno === 0 ? undefined : withoutBatches(errno)
      const bad: Array<[number, bigint]> = [...range(40_000), [1, -1n]]
      const error = thrownBy(() => typed.updateBatch(bad))
      assert.equal(error.code, 'INVALID')
      assert.ok(error.written !== undefined && error.written > 0, `${error.written}`)
      assert.equal([...typed.entries()].length, error.written)
    }
  })

  test('without batch calls in the kernel asks for them once', () => {
    using map = create(MapType.HASH, 100)
    const typed = keyedMap(map, u32, u64)
    using old = withoutBatches(22)
    typed.updateBatch(range(10))
    typed.updateBatch(range(20))
    assert.equal(old.refused, 1)
    assert.deepEqual(sorted(typed.entries()), range(20))
    assert.equal(typed.deleteBatch([1, 2, 200]), 2)
    assert.equal(old.refused, 3)
    assert.equal([...typed.entries()].length, 18)
  })

  test('an error of a batch that did not begin is not taken for a partial success', () => {
    using map = create(MapType.HASH, 100)
    const typed = keyedMap(map, u32, u64)
    using _ = interceptSyscalls((_name, [command]) =>
      command === Command.MAP_UPDATE_BATCH ? -12 : undefined,
    )
    const error = thrownBy(() => typed.updateBatch(range(10)))
    assert.deepEqual([error.code, error.written], ['NO_MEMORY', 0])
  })

  test('can be changed during a pass, by batches and by keys', () => {
    for (const batches of [true, false]) {
      using map = create(MapType.HASH, 1000)
      const typed = keyedMap(map, u32, u64)
      typed.updateBatch(range(1000))
      using _ = batches ? undefined : withoutBatches(ENOTSUPP)
      const seen: number[] = []
      for (const [key] of typed.entries()) {
        seen.push(key)
        typed.delete(key)
      }
      assert.equal(new Set(seen).size, seen.length)
      if (batches) assert.equal(seen.length, 1000)
    }
  })

  test('is passed over also where one bucket holds more than a call was made for', () => {
    // 128 kB a value: a call is made for one entry, and of 128 keys in 128 buckets some share one.
    const big = { size: 128 * 1024, encode: () => {}, decode: () => 0 }
    const shape = { name: 'test', type: MapType.HASH, keySize: 1, valueSize: big.size, maxEntries: 128 }
    using map = createMap({ ...shape, flags: MapFlag.NO_PREALLOC })
    const typed = keyedMap(map, u8, big)
    typed.updateBatch(Array.from({ length: 128 }, (_, key) => [key, 0]))
    assert.equal(new Set([...typed.entries()].map(([key]) => key)).size, 128)
  })

  test('behaves as a Map does, whatever happens to it', () => {
    const key = fc.integer({ min: 0, max: 12 })
    const step = fc.oneof(
      fc.record({
        do: fc.constant('update' as const),
        key,
        value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      }),
      fc.record({ do: fc.constant('delete' as const), key }),
      fc.record({ do: fc.constant('updateBatch' as const), keys: fc.array(key) }),
      fc.record({ do: fc.constant('deleteBatch' as const), keys: fc.array(key) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        using map = create(MapType.HASH, 13, MapFlag.NO_PREALLOC)
        const typed = keyedMap(map, u32, u64)
        const model = new Map<number, bigint>()
        for (const one of steps) {
          if (one.do === 'update') {
            typed.update(one.key, one.value)
            model.set(one.key, one.value)
          } else if (one.do === 'delete') {
            assert.equal(typed.delete(one.key), model.delete(one.key))
          } else if (one.do === 'updateBatch') {
            const entries = one.keys.map((key, index) => [key, BigInt(index)] as const)
            typed.updateBatch(entries)
            for (const [key, value] of entries) model.set(key, value)
          } else {
            const expected = one.keys.filter(key => model.delete(key)).length
            assert.equal(typed.deleteBatch(one.keys), expected)
          }
        }
        assert.deepEqual(sorted(typed.entries()), sorted(model))
      }),
      { numRuns: 50 },
    )
  })
})

describe('other maps', () => {
  test('an LRU map makes room by itself', () => {
    using map = create(MapType.LRU_HASH, 64)
    const typed = keyedMap(map, u32, u64)
    typed.updateBatch(range(1000))
    const left = [...typed.entries()]
    assert.ok(left.length > 0 && left.length <= 64, `${left.length} entries`)
    for (const [key, value] of left) assert.equal(value, BigInt(key) * 3n)
  })

  test('an array has all its entries from the beginning and no others', () => {
    using map = create(MapType.ARRAY, 5)
    const typed = keyedMap(map, u32, u64)
    typed.updateBatch([
      [4, 9n],
      [0, 1n],
    ])
    assert.deepEqual(
      [...typed.entries()].map(([, value]) => value),
      [1n, 0n, 0n, 0n, 9n],
    )
    assert.equal(typed.lookup(5), undefined)
    assert.throws(() => typed.update(5, 1n), { code: 'MAP_FULL' })
    assert.throws(() => typed.delete(0), { code: 'INVALID' })
  })

  for (const type of ['PERCPU_HASH', 'PERCPU_ARRAY', 'LRU_PERCPU_HASH'] as const) {
    test(`${type} has a value for each possible CPU`, () => {
      using map = create(MapType[type], 16)
      const typed = perCpuMap(map, u32, u64)
      const values = Array.from({ length: possibleCpus() }, (_, cpu) => BigInt(cpu + 10))
      typed.update(1, values)
      typed.updateBatch([[2, values.toReversed()]])
      assert.deepEqual(typed.lookup(1), values)
      const found = sorted(typed.entries()).filter(([, [first]]) => first !== 0n)
      assert.deepEqual(found, [
        [1, values],
        [2, values.toReversed()],
      ])
    })
  }

  test('a codec that does not fit the map is refused', () => {
    using map = create(MapType.HASH, 1)
    assert.throws(() => keyedMap(map, u64, u64), {
      code: 'LAYOUT',
      message: /key codec has 8 bytes, the map 4/,
    })
    assert.throws(() => keyedMap(map, u32, u32), {
      code: 'LAYOUT',
      message: /value codec has 4 bytes, the map 8/,
    })
    assert.throws(() => perCpuMap(map, u32, u64), { code: 'LAYOUT' })
    using perCpu = create(MapType.PERCPU_HASH, 1)
    assert.throws(() => keyedMap(perCpu, u32, u64), { code: 'LAYOUT', message: /use perCpuMap/ })
  })

  test('a closed map cannot be used', () => {
    const map = create(MapType.HASH, 1)
    const typed = keyedMap(map, u32, u64)
    map[Symbol.dispose]()
    for (const use of [
      () => typed.lookup(1),
      () => typed.update(1, 1n),
      () => typed.updateBatch([[1, 1n]]),
      () => [...typed.entries()],
    ]) {
      assert.throws(use, { code: 'CLOSED' })
    }
  })
})

describe('an observer', () => {
  test('sees each operation once, with the number of its entries', () => {
    using map = create(MapType.HASH, 100)
    const seen: MapOperation[] = []
    const typed = keyedMap(map, u32, u64, { observer: operation => void seen.push(operation) })
    typed.update(1, 1n)
    typed.updateBatch(range(50))
    typed.updateBatch([])
    typed.lookup(1)
    typed.delete(1)
    typed.deleteBatch([1, 2, 3])
    void [...typed.entries()]
    assert.deepEqual(
      seen.map(({ map, kind, entries }) => `${map} ${kind} ${entries}`),
      [
        'test update 1',
        'test update 50',
        'test lookup 1',
        'test delete 1',
        'test delete 3',
        'test iterate 0',
      ],
    )
  })

  test('that throws prevents the operation', () => {
    using map = create(MapType.HASH, 100)
    const plain = keyedMap(map, u32, u64)
    const failing = keyedMap(map, u32, u64, {
      observer: ({ kind }) => {
        throw new EbpfError('KERNEL', `no ${kind}`)
      },
    })
    assert.throws(() => failing.updateBatch(range(3)), { message: 'no update' })
    assert.throws(() => failing.entries(), { message: 'no iterate' })
    assert.deepEqual([...plain.entries()], [])
  })
})

/** Network prefixes: the length in bits, then four bytes of which so many count. */
const prefix: Codec<readonly [number, number]> = {
  size: 8,
  encode: ([length, address], into, offset) => {
    into.setUint32(offset, length, true)
    into.setUint32(offset + 4, address)
  },
  decode: (from, offset) => [from.getUint32(offset, true), from.getUint32(offset + 4)],
}

describe('a trie of prefixes', () => {
  const createTrie = (maxEntries: number) =>
    createMap({
      ...{ name: 'test', type: MapType.LPM_TRIE, keySize: 8, valueSize: 8, maxEntries },
      flags: MapFlag.NO_PREALLOC,
    })

  test('finds the longest prefix, and deletes none but the one that is named', () => {
    using map = createTrie(10)
    const typed = keyedMap(map, prefix, u64)
    typed.updateBatch([
      [[8, 0x0a000000], 8n],
      [[16, 0x0a070000], 16n],
      [[32, 0x0a070001], 32n],
    ])
    const found = [0x0a070001, 0x0a070002, 0x0a080001, 0x0b000001].map(address => typed.lookup([32, address]))
    assert.deepEqual(found, [32n, 16n, 8n, undefined])
    assert.equal(typed.delete([24, 0x0a070000]), false)
    assert.equal(
      typed.deleteBatch([
        [16, 0x0a070000],
        [17, 0x0a070000],
      ]),
      1,
    )
    assert.deepEqual([...typed.entries()].map(([[length], value]) => [length, value]).sort(), [
      [32, 32n],
      [8, 8n],
    ])
  })

  test('that is full says so, and how much is in it', () => {
    using map = createTrie(2)
    const typed = keyedMap(map, prefix, u64)
    const error = thrownBy(() =>
      typed.updateBatch([1, 2, 3].map(net => [[8, net << 24], BigInt(net)] as const)),
    )
    assert.deepEqual([error.code, error.written], ['MAP_FULL', 2])
    assert.equal(thrownBy(() => typed.update([8, 0x09000000], 9n)).code, 'MAP_FULL')
  })
})
