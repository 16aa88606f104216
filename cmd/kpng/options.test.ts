import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instanceName } from './options.ts'
import { socketPath } from './run-dir.ts'

test('an instance name never makes the path of its socket too long', () => {
  const longest = 'a'.repeat(80)
  assert.equal(instanceName(longest), longest)
  assert.ok(Buffer.byteLength(socketPath(longest)) <= 107)
  assert.throws(() => instanceName(`${longest}a`), /1 to 80/)
})

test('the directory of the labs is no instance: cleaning it up would take them all away', () => {
  assert.throws(() => instanceName('lab'), /kpng lab/)
  assert.equal(instanceName('lab-node-a'), 'lab-node-a')
})

test('names that would be other paths are refused', () => {
  for (const name of ['', '.', '..', 'a/b', 'A', 'a_b', '-a', 'a-'])
    assert.throws(() => instanceName(name), /must be/)
})
