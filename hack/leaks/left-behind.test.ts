import assert from 'node:assert/strict'
import { test } from 'node:test'
import { belongsTo, leftBehind, owners, strays } from './left-behind.ts'
import type { Trace } from './traces.ts'

const trace = (kind: string, text: string, id = text): Trace => ({ kind, id, text })

const lab = [
  trace('network namespace', '/run/netns/kpng-demo-fabric'),
  trace('cgroup', '/sys/fs/cgroup/unified/kpng-demo'),
  trace('pin', '/sys/fs/bpf/kpng/demo-node1'),
  trace('process', '31 node lab/server.ts --name demo (cgroup /kpng-demo)', '31'),
]

test('the owners are the names of labs and instances', () => {
  assert.deepEqual([...owners(lab)].sort(), ['demo', 'demo-node1'])
})

test('what is named after an owner belongs to it, what only begins like it does not', () => {
  const names = new Set(['demo'])
  assert.ok(belongsTo(trace('network namespace', '/run/netns/kpng-demo-pod-1'), names))
  assert.ok(
    belongsTo(
      trace('BPF prog', '7 connect4 used by link 3 /sys/fs/bpf/kpng/demo-node1/link/connect4'),
      names,
    ),
  )
  assert.ok(!belongsTo(trace('network namespace', '/run/netns/kpng-demolition'), names))
  assert.ok(!belongsTo(trace('process', '5 sleep 60'), names))
})

test('what a test leaves is found, what a lab that was there before does meanwhile is not', () => {
  const now = [
    ...lab,
    trace('network namespace', '/run/netns/kpng-demo-client-192.0.2.1'),
    trace('network namespace', '/run/netns/kpng-t123-fabric'),
    trace('BPF map', '9 hash svc4', '9'),
  ]
  assert.deepEqual(
    leftBehind(lab, now).map(left => left.text),
    ['/run/netns/kpng-t123-fabric', '9 hash svc4'],
  )
})

test('an id that comes again with another kind is another thing', () => {
  assert.equal(leftBehind([trace('BPF map', '9', '9')], [trace('BPF prog', '9', '9')]).length, 1)
})

test('without a snapshot a lab without processes is a leftover, a running one is not', () => {
  assert.deepEqual(strays(lab), [])
  assert.deepEqual(
    strays(lab.filter(one => one.kind !== 'process')).map(left => left.kind),
    ['network namespace', 'cgroup', 'pin'],
  )
  assert.deepEqual(strays([trace('BPF prog', '3 cgroup_device other')]), [])
})

test('what somebody else is at work with is not left behind', () => {
  const work = [
    trace('attended', '77 python3 servers.py (cgroup /kpng-h123/inner)', '77'),
    trace('cgroup', '/sys/fs/cgroup/kpng-h123'),
    trace('network namespace', '/run/netns/kpng-h123'),
  ]
  assert.deepEqual(leftBehind([], work), [])
  assert.deepEqual(strays(work), [])
  assert.equal(leftBehind([], work.slice(1)).length, 2)
})

test('the control plane of another test run is at work; without its owner it is a leftover', () => {
  const place = '/tmp/kpng-control-plane-a1B2c3'
  const netns = trace('network namespace', '/run/netns/kpng-control-plane-a1B2c3')
  const etcd = `88 /cache/etcd --data-dir ${place}/etcd`
  const work = [trace('attended', etcd, '88'), netns, trace('temporary file', place)]
  assert.deepEqual(leftBehind([], work), [])
  assert.deepEqual(strays(work), [])
  const left = [trace('process', etcd, '88'), netns, trace('temporary file', place)]
  assert.equal(leftBehind([], left).length, 3)
  assert.equal(strays(left).length, 3)
})
