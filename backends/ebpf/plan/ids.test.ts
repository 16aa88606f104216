import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { IdTable } from './ids.ts'

describe('IdTable', () => {
  it('gives the lowest free id, from 1', () => {
    const ids = new IdTable(3)
    assert.deepEqual(ids.acquire('a'), { id: 1, generation: 1 })
    assert.deepEqual(ids.acquire('b'), { id: 2, generation: 1 })
    assert.deepEqual(ids.acquire('a'), { id: 1, generation: 1 })
    assert.deepEqual(ids.acquire('c'), { id: 3, generation: 1 })
    assert.equal(ids.acquire('d'), undefined)
    assert.equal(ids.live, 3)
  })

  it('does not give an id in limbo to another key', () => {
    const ids = new IdTable(1)
    ids.acquire('a')
    ids.release('a')
    assert.equal(ids.acquire('b'), undefined)
    assert.equal(ids.inLimbo, 1)
  })

  it('gives an id in limbo back to its key, generation and all', () => {
    const ids = new IdTable(4)
    ids.acquire('a')
    ids.release('a')
    const [stay] = ids.limbo()
    assert.deepEqual(ids.acquire('a'), { id: 1, generation: 1 })
    ids.release('a')
    assert(stay !== undefined)
    assert(!ids.free(1, stay.stay), 'the answer of a pass that began before the id returned must not free it')
    assert.equal(ids.inLimbo, 1)
  })

  it('moves the generation on when an id is given again', () => {
    const ids = new IdTable(1)
    ids.acquire('a')
    ids.release('a')
    for (const { id, stay } of ids.limbo()) assert(ids.free(id, stay))
    assert.deepEqual(ids.acquire('b'), { id: 1, generation: 2 })
    assert.equal(ids.find('a'), undefined)
  })

  it('adopts ids and keeps blocked ones back', () => {
    const ids = new IdTable(4)
    assert(ids.adopt('a', 2, 7, 'live'))
    assert(!ids.adopt('b', 2, 7, 'live'))
    assert(!ids.adopt('a', 3, 7, 'live'))
    assert(!ids.adopt('b', 5, 1, 'live'))
    assert(!ids.adopt('b', 0, 1, 'live'))
    assert(ids.adopt('c', 3, 9, 'limbo'))
    ids.block(1)
    ids.noteGeneration(4, 41)
    assert.deepEqual(ids.acquire('new'), { id: 4, generation: 42 })
    assert.deepEqual(ids.acquire('c'), { id: 3, generation: 9 })
    assert.equal(ids.acquire('more'), undefined)
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
        const live = new Set<string>()
        const lives = new Set<string>()
        for (const [what, n] of steps) {
          const key = `k${n}`
          if (what === 'acquire') {
            const known = ids.find(key)
            const got = ids.acquire(key)
            if (got === undefined) {
              assert.equal(ids.live + ids.inLimbo, 8)
              continue
            }
            if (known === undefined) {
              assert(!lives.has(`${got.id}.${got.generation}`), 'the same id and generation for two owners')
              lives.add(`${got.id}.${got.generation}`)
            } else {
              assert.deepEqual(got, known)
            }
            live.add(key)
          } else if (what === 'release') {
            if (live.delete(key)) ids.release(key)
          } else {
            const entry = ids.limbo()[n]
            if (entry !== undefined) ids.free(entry.id, entry.stay)
          }
          assert.equal(ids.live, live.size)
          const numbers = [...live].map(k => ids.find(k)?.id)
          assert.equal(new Set(numbers).size, numbers.length)
        }
      }),
      { numRuns: 300 },
    )
  })
})
