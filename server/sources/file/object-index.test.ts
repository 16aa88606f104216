import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aService } from '../../objects/fixtures.ts'
import { ObjectIndex } from './object-index.ts'

const KEY = 'Service/shop/web'
const define = (type: string, line = 1) => ({ object: aService({ type }), line, column: 1 })
const typeOf = (index: ObjectIndex) => {
  const object = index.get(KEY)
  return object?.kind === 'Service' ? object.type : undefined
}
const replace = (index: ObjectIndex, ...args: Parameters<ObjectIndex['replace']>) =>
  new Set(index.replace(...args))
const a = { path: 'd/a.yaml', root: 0 }
const b = { path: 'd/b.yaml', root: 0 }
const other = { path: 'c/a.yaml', root: 1 }

describe('object index', () => {
  it('the same object in two files: the last by PATH and name counts, whatever the order of reading', () => {
    for (const order of [
      [a, b, other],
      [other, b, a],
      [b, other, a],
    ]) {
      const index = new ObjectIndex()
      for (const file of order) assert.deepEqual(replace(index, file, [define(file.path)]), new Set([KEY]))
      assert.equal(typeOf(index), 'c/a.yaml')
      assert.deepEqual(
        index.problems().map(it => `${it.where} ${it.message}`),
        [
          'd/a.yaml:1:1 Service shop/web: is defined again at c/a.yaml:1:1, which is used',
          'd/b.yaml:1:1 Service shop/web: is defined again at c/a.yaml:1:1, which is used',
        ],
      )
      replace(index, other, [])
      assert.equal(typeOf(index), 'd/b.yaml')
      replace(index, b, [])
      assert.deepEqual([typeOf(index), index.problems()], ['d/a.yaml', []])
      replace(index, a, [])
      assert.deepEqual([typeOf(index), [...index.objects()]], [undefined, []])
    }
  })

  it('twice in one file: the last one counts, as with kubectl apply', () => {
    const index = new ObjectIndex()
    replace(index, a, [define('first', 1), define('last', 9)])
    assert.equal(typeOf(index), 'last')
    assert.deepEqual([index.problems()[0]?.where, index.whereIs(KEY)], ['d/a.yaml:1:1', 'd/a.yaml:9:1'])
  })
})
