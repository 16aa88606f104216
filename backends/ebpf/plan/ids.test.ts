import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { IdTable } from './ids.ts'

describe('IdTable', () => {
  it('gives the lowest free id, from 1', () => {
    const ids = new IdTable(3)
    assert.deepEqual(ids.acquire('a'), { id: 1, generation: 1 })
    assert.deepEqual(ids.acquire('b'), { id: 2, generation: 1 })
    assert.deepEqual(ids.acquire('c'), { id: 3, generation: 1 })
    assert.equal(ids.acquire('d'), undefined)
    assert.equal(ids.live, 3)
  })

  it('does not give an id in limbo to another key', () => {
    const ids = new IdTable(1)
    ids.acquire('a')
    ids.release(1, 'a')
    assert.equal(ids.acquire('b'), undefined)
    assert.equal(ids.inLimbo, 1)
  })

  it('gives an id in limbo back to its key, generation and all', () => {
    const ids = new IdTable(4)
    ids.acquire('a')
    ids.release(1, 'a')
    const [stay] = ids.limbo()
    assert.deepEqual(ids.acquire('a'), { id: 1, generation: 1 })
    ids.release(1, 'a')
    assert(stay !== undefined)
    assert(!ids.free(1, stay.stay), 'the answer of a pass that began before the id returned must not free it')
    assert.equal(ids.inLimbo, 1)
  })

  it('moves the generation on when an id is given again', () => {
    const ids = new IdTable(1)
    ids.acquire('a')
    ids.release(1, 'a')
    for (const { id, stay } of ids.limbo()) assert(ids.free(id, stay))
    assert.deepEqual(ids.acquire('b'), { id: 1, generation: 2 })
    ids.release(1, 'b')
    assert.equal(ids.acquire('a'), undefined)
  })

  it('adopts ids and keeps blocked ones back', () => {
    const ids = new IdTable(4)
    assert(ids.adopt(2, 7))
    assert(!ids.adopt(2, 7))
    assert(!ids.adopt(5, 1))
    assert(!ids.adopt(0, 1))
    assert(ids.adopt(3, 9))
    ids.release(3, 'c')
    ids.block(1)
    ids.block(2)
    ids.noteGeneration(4, 41)
    assert.deepEqual(ids.acquire('new'), { id: 4, generation: 42 })
    assert.deepEqual(ids.acquire('c'), { id: 3, generation: 9 })
    assert.equal(ids.acquire('more'), undefined)
    assert(ids.isLive(2))
    assert.deepEqual(
      ids.limbo().map(({ id, key }) => ({ id, key })),
      [{ id: 1, key: undefined }],
    )
  })

  it('never gives one id to two keys', () => {
    const step = fc.tuple(fc.constantFrom('acquire', 'release', 'free'), fc.integer({ min: 0, max: 12 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const ids = new IdTable(8)
        const live = new Map<string, number>()
        const lives = new Map<string, string>()
        for (const [what, n] of steps) {
          const key = `k${n}`
          const id = live.get(key)
          if (what === 'acquire' && id === undefined) {
            const stay = ids.limbo().find(limbo => limbo.key === key)
            const got = ids.acquire(key)
            if (got === undefined) {
              assert.equal(ids.live + ids.inLimbo, 8)
              continue
            }
            const life = `${got.id}.${got.generation}`
            if (stay === undefined) assert(!lives.has(life), 'the same id and generation for two owners')
            else assert.deepEqual(got, { id: stay.id, generation: stay.generation })
            lives.set(life, key)
            live.set(key, got.id)
          } else if (what === 'release' && id !== undefined) {
            live.delete(key)
            ids.release(id, key)
          } else if (what === 'free') {
            const entry = ids.limbo()[n]
            if (entry !== undefined) assert(ids.free(entry.id, entry.stay))
          }
          assert.equal(ids.live, live.size)
          assert.equal(new Set(live.values()).size, live.size)
          for (const known of live.values()) assert(ids.isLive(known))
        }
      }),
      { numRuns: 300 },
    )
  })
})
