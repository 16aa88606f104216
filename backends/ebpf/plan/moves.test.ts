import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BuddyAllocator } from './buddy.ts'
import { planMoves } from './moves.ts'

const anywhere = (): boolean => true

describe('planMoves', () => {
  it('empties the place with the least in it', () => {
    const ranges = new BuddyAllocator(16)
    for (const base of [0, 1, 2, 5, 8, 9, 12]) ranges.reserve(base, 0)
    assert.equal(ranges.allocate(4), undefined)
    assert.deepEqual(planMoves(ranges, 2, anywhere), {
      moves: [{ from: 5, to: { base: 3, order: 0 } }],
      gaps: [
        { base: 4, order: 0 },
        { base: 6, order: 1 },
      ],
    })
  })

  it('leaves alone what must not move', () => {
    const ranges = new BuddyAllocator(8)
    ranges.reserve(0, 0)
    ranges.reserve(4, 1)
    assert.deepEqual(planMoves(ranges, 2, base => base !== 0)?.moves, [
      { from: 4, to: { base: 2, order: 1 } },
    ])
    assert.equal(
      planMoves(ranges, 2, () => false),
      undefined,
    )
  })

  it('gives up where moving does not help', () => {
    const ranges = new BuddyAllocator(8)
    for (const base of [0, 2, 4, 6]) ranges.reserve(base, 0)
    assert.equal(planMoves(ranges, 3, anywhere), undefined)
    const full = new BuddyAllocator(4)
    full.allocate(4)
    assert.equal(planMoves(full, 0, anywhere), undefined)
  })

  it('makes room for what was asked, without one range on another', () => {
    const input = fc.record({
      capacity: fc.integer({ min: 4, max: 200 }),
      sizes: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 60, size: 'max' }),
      kept: fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      order: fc.integer({ min: 0, max: 6 }),
    })
    let planned = 0
    fc.assert(
      fc.property(input, ({ capacity, sizes, kept, order }) => {
        const ranges = new BuddyAllocator(capacity)
        const held = sizes.map(size => ranges.allocate(size))
        held.forEach((block, index) => {
          if (block !== undefined && !kept[index]) ranges.free(block.base)
        })
        const plan = planMoves(ranges, order, anywhere)
        if (plan === undefined) return
        planned++
        for (const { from, to } of plan.moves) {
          assert.equal(ranges.orderAt(from), to.order)
          assert(ranges.reserve(to.base, to.order), `slot ${to.base} is not free`)
        }
        for (const gap of plan.gaps)
          assert(ranges.reserve(gap.base, gap.order), `slot ${gap.base} is not free`)
        for (const { base } of [...plan.gaps, ...plan.moves.map(move => ({ base: move.from }))])
          ranges.free(base)
        assert.notEqual(ranges.allocate(2 ** order), undefined)
      }),
      { numRuns: 500 },
    )
    assert(planned > 50)
  })
})
