import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, type Problem, type ProblemReason } from '@kpng/api'
import type { EventInput } from './event-recorder.ts'
import { ProblemEvents } from './problem-events.ts'

function world() {
  const told: EventInput[] = []
  const services = new Map<string, { uid?: string }>([
    ['ns/a', { uid: 'uid-a' }],
    ['ns/b', {}],
  ])
  const clock = new ManualClock()
  const events = new ProblemEvents({
    recorder: { event: event => told.push(event) },
    nodeName: 'node-a',
    service: key => services.get(key),
    clock,
  })
  return {
    services,
    /** Tells the problems, waits, and gives what was told since the last call. */
    after(waitMs: number, ...problems: Problem[]): string[] {
      events.update(problems)
      clock.advance(waitMs)
      return told
        .splice(0)
        .map(
          ({ type, reason, regarding, note }) =>
            `${type} ${reason} ${regarding.kind}/${regarding.name}: ${note}`,
        )
    },
    last: () => told.at(-1),
    events,
    clock,
    told,
  }
}

const problem = (where: string, message: string, reason?: ProblemReason, field = ''): Problem => ({
  where,
  field,
  message,
  ...(reason === undefined ? {} : { reason }),
})

const conflict = problem('ns/a', '10.0.0.1:80/TCP is served for ns/x', 'FrontendConflict', 'spec.externalIPs')

test('a problem that stands is told once, and once when it is over', () => {
  const it = world()
  assert.deepEqual(it.after(2_000, conflict), [
    'Warning FrontendConflict Service/a: spec.externalIPs: 10.0.0.1:80/TCP is served for ns/x',
  ])
  assert.deepEqual(it.after(60_000, conflict), [])
  assert.deepEqual(it.after(0), [
    'Normal Recovered Service/a: FrontendConflict is over: spec.externalIPs: 10.0.0.1:80/TCP is served for ns/x',
  ])
  assert.deepEqual(it.after(60_000), [])
})

test('a problem that passes by itself is not told', () => {
  const it = world()
  assert.deepEqual(it.after(1_000, conflict), [])
  assert.deepEqual(it.after(10_000), [])
})

test('several of one reason are one Event, whatever their order; another one makes another', () => {
  const it = world()
  const one = problem('ns/b', 'one', 'ProtocolNotServed', 'spec.ports[0]')
  const two = problem('ns/b', 'two', 'ProtocolNotServed', 'spec.ports[1]')
  const both = ['Warning ProtocolNotServed Service/b: spec.ports[0]: one; spec.ports[1]: two']
  assert.deepEqual(it.after(5_000, two, one), both)
  assert.deepEqual(it.after(5_000, one, two), [])
  assert.deepEqual(it.after(5_000, one), ['Warning ProtocolNotServed Service/b: spec.ports[0]: one'])
})

test('a Service that does not fit is told, and its Node once for all', () => {
  const it = world()
  const full = (name: string) => problem(`ns/${name}`, `${name} does not fit`, 'CapacityExceeded')
  const told = it.after(5_000, full('a'), full('b'))
  assert.equal(told.length, 3)
  assert.deepEqual(
    told.filter(text => text.includes('Service/')),
    [
      'Warning CapacityExceeded Service/a: a does not fit',
      'Warning CapacityExceeded Service/b: b does not fit',
    ],
  )
  assert.match(told.find(text => text.includes('Node/node-a')) ?? '', /--max-endpoints/)
  assert.deepEqual(it.after(5_000, full('a')), [
    'Normal Recovered Service/b: CapacityExceeded is over: b does not fit',
  ])
  assert.equal(it.after(5_000).length, 2)
})

test('what does not fit without being of a Service is told of the Node, and nothing of Services', () => {
  const it = world()
  const full = problem('network namespaces', '3 do not fit', 'CapacityExceeded')
  assert.deepEqual(it.after(5_000, full), ['Warning CapacityExceeded Node/node-a: 3 do not fit'])
})

test('nothing is told of the end of a problem whose Service is gone', () => {
  const it = world()
  it.after(5_000, conflict)
  it.services.delete('ns/a')
  assert.deepEqual(it.after(5_000, conflict), [])
  assert.deepEqual(it.after(5_000), [])
})

test('what is wrong with the datapath is told of the Node', () => {
  const it = world()
  const detached = problem('/sys/fs/cgroup', 'the programs are not in place', 'DatapathDetached')
  const others = [
    problem('Node/node-a', 'x is not a CIDR', 'ServiceCIDRIgnored', 'serviceCIDRs'),
    problem('reconciler', 'refused; will be tried again', 'UpdateFailed', 'cfg'),
  ]
  assert.deepEqual(it.after(5_000, detached, ...others), [
    'Warning DatapathDetached Node/node-a: the programs are not in place',
    'Warning ServiceCIDRIgnored Node/node-a: serviceCIDRs: x is not a CIDR',
    'Warning UpdateFailed Node/node-a: cfg: refused; will be tried again',
  ])
})

test('a bad field is told of a Service and of this Node, not of files, slices and other Nodes', () => {
  const it = world()
  const bad = (where: string) => problem(where, 'is no address', undefined, 'spec.x')
  assert.deepEqual(
    it.after(
      5_000,
      bad('Service/ns/a'),
      bad('Service/ns/unknown'),
      bad('EndpointSlice/ns/a'),
      bad('services.yaml:3:4'),
      bad('Node//node-a'),
      bad('Node//node-b'),
    ),
    [
      'Warning InvalidField Service/a: spec.x: is no address',
      'Warning InvalidField Node/node-a: spec.x: is no address',
    ],
  )
})

test('[KP-11.5] a Service is named with its UID, which kubectl describe goes by; a Node without', () => {
  const it = world()
  it.events.update([conflict, problem('x', 'y', 'DatapathDetached')])
  it.clock.advance(5_000)
  assert.deepEqual(
    it.told.map(({ regarding }) => regarding),
    [
      { kind: 'Service', apiVersion: 'v1', namespace: 'ns', name: 'a', uid: 'uid-a' },
      { kind: 'Node', apiVersion: 'v1', name: 'node-a' },
    ],
  )
})

test('after its end nothing is told any more', () => {
  const it = world()
  it.events.update([conflict])
  it.events[Symbol.dispose]()
  it.clock.advance(60_000)
  assert.deepEqual(it.told, [])
})
