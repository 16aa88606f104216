import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AddressTable } from './address-table.ts'

describe('AddressTable', () => {
  it('knows an address until the last who named it has gone', () => {
    const table = new AddressTable()
    assert.deepEqual(table.set('a', [{ address: '10.0.0.1', kind: 'cluster' }]), new Set(['10.0.0.1']))
    table.set('b', [{ address: '10.0.0.1', kind: 'external' }])
    table.set('c', [{ address: '10.0.0.1', kind: 'external' }])
    assert.deepEqual(table.kinds('10.0.0.1'), { cluster: true, external: true, node: false })
    table.set('b', [])
    assert.deepEqual(table.kinds('10.0.0.1'), { cluster: true, external: true, node: false })
    table.set('a', [])
    assert.deepEqual(table.kinds('10.0.0.1'), { cluster: false, external: true, node: false })
    assert.deepEqual(table.owners('10.0.0.1'), ['c'])
    table.set('c', [])
    assert.equal(table.kinds('10.0.0.1'), undefined)
    assert.equal(table.size, 0)
  })

  it('touches nothing when an owner says the same again', () => {
    const table = new AddressTable()
    table.set('a', [{ address: '10.0.0.1', kind: 'node' }])
    assert.deepEqual(table.set('a', [{ address: '10.0.0.1', kind: 'node' }]), new Set())
    assert.deepEqual(
      table.set('a', [{ address: '10.0.0.2', kind: 'node' }]),
      new Set(['10.0.0.1', '10.0.0.2']),
    )
  })
})
