import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import {
  checkLabName,
  clientNetns,
  fabricNetns,
  instanceName,
  labOfNetns,
  logPath,
  nodeNetns,
  podNetns,
} from './names.ts'

test('lab names: what can be part of file names', () => {
  for (const name of ['a', 'demo', 'a-b', '0', 'a'.repeat(48)]) assert.equal(checkLabName(name), name)
  for (const name of ['', '-a', 'a-', 'A', 'a_b', 'a.b', '../a', 'a'.repeat(49)])
    assert.throws(() => checkLabName(name), { code: 'usage' }, name)
})

test('namespaces: each lab finds its own, also where one name begins like another', () => {
  for (const lab of ['a', 'a-b', 'a-b-c']) {
    const names = [
      fabricNetns(lab),
      nodeNetns(lab, 'b-c'),
      nodeNetns(lab, 'fabric'),
      nodeNetns(lab, `${'long-'.repeat(45)}name`),
      podNetns(lab, 'fd00::1'),
      clientNetns(lab, '10.0.0.1'),
    ]
    assert.equal(new Set(names).size, names.length)
    for (const name of names) {
      assert.equal(labOfNetns(name), lab, name)
      assert.ok(name.length <= 255)
    }
  }
})

test('namespaces: those of others are not a lab’s', () => {
  for (const name of ['kpng', 'kpng-a', 'kpng-test123', 'cni-1234-pod_x', 'kpng--', 'kpng-a-fabrics'])
    assert.equal(labOfNetns(name), undefined, name)
})

test('instances: long and upper-case node names become valid ones and stay apart', () => {
  assert.equal(instanceName('demo', 'worker-1'), 'demo-worker-1')
  const long = 'n'.repeat(200)
  const names = [`${long}1`, `${long}2`, 'Node', 'node'].map(node => instanceName('demo', node))
  assert.equal(new Set(names).size, 4)
  for (const name of names) assert.match(name, /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/)
})

test('logs: the longest node names have a file each', () => {
  const long = `agent-${'n'.repeat(252)}`
  const files = ['agent-n1', `${long}1`, `${long}2`].map(process => basename(logPath('demo', process)))
  assert.equal(files[0], 'agent-n1.log')
  assert.equal(new Set(files).size, 3)
  for (const file of files) assert.ok(file.length <= 255, file)
})
