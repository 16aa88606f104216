import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSource, parseTarget, parseWho } from './who.ts'

test('who: the three kinds, addresses canonical', () => {
  assert.deepEqual(parseWho('node/kpng-worker1'), { kind: 'node', name: 'kpng-worker1' })
  assert.deepEqual(parseWho('node/n1/127.0.0.1'), { kind: 'node', name: 'n1', source: '127.0.0.1' })
  assert.deepEqual(parseWho('node/n1/::1'), { kind: 'node', name: 'n1', source: '::1' })
  assert.deepEqual(parseWho('pod/10.0.0.1'), { kind: 'pod', address: '10.0.0.1' })
  assert.deepEqual(parseWho('client/FD00:0::1'), { kind: 'client', address: 'fd00::1' })
})

test('who: nonsense is bad usage', () => {
  for (const text of [
    '',
    'node',
    'node/',
    'n1',
    'pod/x',
    'pod/10.0.0.1/10.0.0.2',
    'client/127.0.0.1',
    'node/a/b',
  ])
    assert.throws(() => parseWho(text), { code: 'usage' }, text)
})

test('target: protocols and families', () => {
  assert.deepEqual(parseTarget('10.0.0.1:80'), { address: '10.0.0.1', port: 80, protocol: 'tcp' })
  assert.deepEqual(parseTarget('10.0.0.1:80/udp'), { address: '10.0.0.1', port: 80, protocol: 'udp' })
  assert.deepEqual(parseTarget('[fd00:0::1]:53/TCP'), { address: 'fd00::1', port: 53, protocol: 'tcp' })
})

test('target: nonsense is bad usage', () => {
  for (const text of [
    '',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    'fd00::1:80',
    '[10.0.0.1]:80',
    '1.2.3.4:80/sctp',
  ])
    assert.throws(() => parseTarget(text), { code: 'usage' }, text)
})

test('a source of the other family is bad usage', () => {
  const target = parseTarget('[fd00::1]:80')
  assert.throws(() => checkSource(parseWho('node/n1/127.0.0.1'), target), { code: 'usage' })
  checkSource(parseWho('node/n1/::1'), target)
})
