import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BuddyAllocator, orderOf } from './buddy.ts'

/** Blocks that are aligned, inside, and apart from each other. */
function checkBlocks(buddy: BuddyAllocator): void {
  const blocks = [...buddy.blocks()].sort((a, b) => a.base - b.base)
  let end = 0
  let used = 0
  for (const { base, order } of blocks) {
    assert(base >= end, `the block at ${base} overlaps the one before`)
    assert.equal(base % 2 ** order, 0, `the block at ${base} is not aligned to its size`)
    end = base + 2 ** order
    used += 2 ** order
  }
  assert(end <= buddy.capacity)
  assert.equal(buddy.used, used)
}

/** With nothing allocated, the largest power of two fits again, and so does everything beside it. */
function checkCoalesced(buddy: BuddyAllocator): void {
  const fresh = new BuddyAllocator(buddy.capacity)
  for (let size = 2 ** 20; size >= 1; size /= 2) {
    for (;;) {
      const expected = fresh.allocate(size)
      assert.deepEqual(buddy.allocate(size), expected)
      if (expected === undefined) break
    }
  }
  assert.equal(buddy.used, buddy.capacity)
}

describe('BuddyAllocator', () => {
  it('rounds up to powers of two', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 4096, 4097].map(orderOf), [0, 0, 1, 2, 2, 3, 12, 13])
  })

  it('takes the lowest block of the smallest size that fits', () => {
    const buddy = new BuddyAllocator(16)
    assert.deepEqual(buddy.allocate(3), { base: 0, order: 2 })
    assert.deepEqual(buddy.allocate(1), { base: 4, order: 0 })
    assert.deepEqual(buddy.allocate(8), { base: 8, order: 3 })
    assert.deepEqual(buddy.allocate(2), { base: 6, order: 1 })
    assert.equal(buddy.allocate(2), undefined)
    buddy.free(0)
    assert.deepEqual(buddy.allocate(4), { base: 0, order: 2 })
  })

  it('refuses to free what it did not give', () => {
    const buddy = new BuddyAllocator(8)
    buddy.allocate(4)
    assert.throws(() => buddy.free(2))
    buddy.free(0)
    assert.throws(() => buddy.free(0))
  })

  it('reserves only blocks that are free, aligned and inside', () => {
    const buddy = new BuddyAllocator(24)
    assert(buddy.reserve(20, 2))
    assert(!buddy.reserve(16, 3))
    assert(!buddy.reserve(22, 1))
    assert(!buddy.reserve(3, 1))
    assert(!buddy.reserve(24, 0))
    assert(!buddy.reserve(0, 5))
    assert(buddy.reserve(16, 2))
    checkBlocks(buddy)
  })

  it('never overlaps and always coalesces, over 100,000 operations', () => {
    const run = fc.record({
      capacity: fc.integer({ min: 1, max: 5000 }),
      seed: fc.integer(),
    })
    let operations = 0
    fc.assert(
      fc.property(run, ({ capacity, seed }) => {
        const buddy = new BuddyAllocator(capacity)
        const twin = new BuddyAllocator(capacity)
        const held: number[] = []
        let state = seed | 1
        const next = (bound: number): number => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0
          return ((state >>> 8) % bound) >>> 0
        }
        for (let step = 0; step < 2000; step++, operations++) {
          if (next(100) < 55) {
            const count = 1 + next(next(10) === 0 ? capacity : 16)
            const block = buddy.allocate(count)
            assert.deepEqual(twin.allocate(count), block)
            if (block !== undefined) {
              assert(2 ** block.order >= count)
              held.push(block.base)
            }
          } else if (held.length > 0) {
            const [base] = held.splice(next(held.length), 1)
            assert(base !== undefined)
            buddy.free(base)
            twin.free(base)
          }
          if (step % 100 === 0) checkBlocks(buddy)
        }
        checkBlocks(buddy)
        for (const base of held) buddy.free(base)
        assert.equal(buddy.used, 0)
        checkCoalesced(buddy)
      }),
      { numRuns: 50 },
    )
    assert(operations >= 100_000)
  })
})
