/** Whatever a server answers: nobody loses an object by it, nothing throws, and afterwards all is as the server has it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { identity, junk, type Mutation, mutate, mutation } from '../../objects/mutate-json.ts'
import { readObject } from '../../objects/read.ts'
import type { KubeObject } from '../../objects/types.ts'
import { defaultLimits } from './limits.ts'
import { FakeBody } from './testing/body.ts'
import { eventLine, type FakeApi, type KubeJson } from './testing/fake-api.ts'
import { serviceJson, sliceJson } from './testing/objects.ts'
import { protobufEvent } from './testing/protobuf.ts'
import { selects } from './testing/selectors.ts'
import { Subject } from './testing/subject.ts'

/** Small, so that something huge is quickly made. */
const maxEventBytes = 4_096
const maxPageBytes = 16_384

/** What nobody touches: there at every moment. */
const quiet = [
  serviceJson('quiet', 1),
  serviceJson('calm', 2),
  sliceJson('quiet', ['10.0.0.1', '10.0.0.2']),
] as const
/** What the server has and changes. */
const busy = [serviceJson('busy', 3), sliceJson('busy', ['10.0.0.3'])] as const
/** What the server has that nobody can use whole. */
const odd = [serviceJson('odd', 4), sliceJson('odd', ['10.0.0.4'])] as const
/** Of an object that no server has: what hostile events are about. */
const nobody = [serviceJson('nobody', 5), sliceJson('nobody', ['10.0.0.5'])] as const

const kind = fc.constantFrom('Service' as const, 'EndpointSlice' as const)
const of = (objects: readonly KubeJson[], wanted: string): KubeJson =>
  objects.find(it => it.kind === wanted) ?? assert.fail()

const changed = (object: KubeJson, changes: readonly Mutation[]): KubeJson =>
  changes.reduce((value, change) => mutate(value, change, identity).value as KubeJson, object)

/** Bytes that are no answer, or are nearly one. */
const hostileText = fc.oneof(
  junk.map(value => JSON.stringify(value) ?? 'undefined'),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    '',
    '\n\n',
    'null',
    '{',
    '{}',
    '[]',
    '"',
    '<html><body>502 Bad Gateway</body></html>',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":null}',
    '{"type":"ERROR","object":{"code":410,"reason":"Gone"}}',
    '{"type":"ERROR","object":{"code":1e999,"details":{"retryAfterSeconds":1e999}}}',
    '{"type":"ERROR"}',
    '{"type":"BOOKMARK","object":{"metadata":{}}}',
    '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":7}}}',
    '{"type":"ADDED","type":"TRUNCATED","object":{},"object":[]}',
    '{"__proto__":{"type":"ADDED"},"object":{"__proto__":{"metadata":{"name":"x"}}}}',
    '{"items":[],"metadata":{"resourceVersion":""}}',
    '{"items":{},"metadata":{"resourceVersion":"5"}}',
    '{"items":[null,1,"",[],{}],"metadata":{"resourceVersion":5}}',
    '{"metadata":null}',
    `${'['.repeat(1_500)}`,
    `${'['.repeat(1_500)}${']'.repeat(1_500)}`,
    `${'{"object":'.repeat(300)}1${'}'.repeat(300)}`,
    `{"type":"ADDED","object":{"metadata":{"name":"${'x'.repeat(2_000)}"}}}`,
    'x'.repeat(maxEventBytes + 1),
    'x'.repeat(maxPageBytes + 1),
  ),
)
const hostileBytes = fc.oneof(
  hostileText.map(text => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }),
  fc.constantFrom(
    // No UTF-8: in the middle of a text, alone, and half a character.
    Buffer.concat([Buffer.from('{"type":"ADDED","object":{"metadata":{"name":"'), Buffer.from([0xff, 0xc3])]),
    Buffer.from([0xc0, 0x80, 0x0a]),
    Buffer.from([0xf0, 0x9f]),
    Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from('k8s\0'),
  ),
)

type Step =
  | { readonly do: 'change'; readonly kind: KubeJson['kind']; readonly last: number }
  | { readonly do: 'remove'; readonly kind: KubeJson['kind'] }
  | { readonly do: 'odd'; readonly kind: KubeJson['kind']; readonly changes: readonly Mutation[] }
  | {
      readonly do: 'event'
      readonly kind: KubeJson['kind']
      readonly type: string
      readonly changes: readonly Mutation[]
      readonly cut: number
    }
  | {
      readonly do: 'bytes'
      readonly kind: KubeJson['kind']
      readonly bytes: Uint8Array
      readonly next: 'end' | 'cut' | 'go on'
    }
  | {
      readonly do: 'answer'
      readonly kind: KubeJson['kind']
      readonly mode: 'list' | 'stream' | 'watch'
      readonly status: number
      readonly bytes: Uint8Array
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly do: 'refuse'; readonly kind: KubeJson['kind']; readonly mode: 'list' | 'stream' | 'watch' }
  | {
      readonly do: 'list'
      readonly kind: KubeJson['kind']
      readonly mode: 'list' | 'stream'
      readonly junk: readonly unknown[]
      /** Characters of it that arrive. */
      readonly cut: number | null
      readonly version: unknown
    }
  | { readonly do: 'compact' }
  | { readonly do: 'cut' }
  | { readonly do: 'wait'; readonly ms: number }

const mode = fc.constantFrom('list' as const, 'stream' as const, 'watch' as const)
const changes = fc.array(mutation, { minLength: 1, maxLength: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('change' as const), kind, last: fc.integer({ min: 10, max: 99 }) }),
  fc.record({ do: fc.constant('remove' as const), kind }),
  fc.record({ do: fc.constant('odd' as const), kind, changes }),
  fc.record({
    do: fc.constant('event' as const),
    kind,
    type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', 'added', ''),
    changes,
    cut: fc.oneof(fc.constant(0), fc.nat(300)),
  }),
  fc.record({
    do: fc.constant('bytes' as const),
    kind,
    bytes: hostileBytes,
    next: fc.constantFrom('end' as const, 'cut' as const, 'go on' as const),
  }),
  fc.record({
    do: fc.constant('answer' as const),
    kind,
    mode,
    status: fc.oneof(
      fc.constantFrom(200, 200, 201, 204, 301, 400, 401, 403, 404, 410, 422, 429, 500, 503),
      fc.nat(999),
    ),
    bytes: hostileBytes,
    headers: fc.dictionary(
      fc.constantFrom('content-type', 'retry-after'),
      fc.constantFrom(
        'application/json',
        'text/html',
        'application/vnd.kubernetes.protobuf',
        '0',
        '-5',
        '1e9',
        '9'.repeat(40),
        '',
      ),
    ),
  }),
  fc.record({ do: fc.constant('refuse' as const), kind, mode }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('list' as const),
      kind,
      mode: fc.constantFrom('list' as const, 'stream' as const),
      junk: fc.array(junk, { maxLength: 3 }),
      cut: fc.option(fc.nat(1_500)),
      version: fc.constantFrom('1', '1', '', 1, null),
    }),
  },
  fc.constantFrom({ do: 'compact' as const }, { do: 'cut' as const }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 2_000, 40_000, 160_000) }),
)

/** Writes to the watch that is open, if one is. */
function write(
  api: FakeApi,
  of: string,
  pieces: readonly (string | Uint8Array)[],
  next: 'end' | 'cut' | 'go on',
): void {
  if (!api.watching(of)) return
  const body = api.watch(of)
  for (const piece of pieces) body.write(piece)
  if (next === 'end') body.end()
  if (next === 'cut') body.cut()
}

/** All that there is with junk between it, and perhaps cut; as a list, or as the events of one. */
function listOf(
  { mode, junk, cut, version }: Extract<Step, { do: 'list' }>,
  objects: readonly KubeJson[],
): string {
  const metadata = { resourceVersion: version, annotations: { 'k8s.io/initial-events-end': 'true' } }
  const items = [...junk, ...objects, ...junk]
  const whole =
    mode === 'list'
      ? JSON.stringify({ metadata, items })
      : [...items.map(it => eventLine('ADDED', it)), eventLine('BOOKMARK', { metadata })].join('')
  return cut === null ? whole : whole.slice(0, cut)
}

interface World {
  readonly api: FakeApi
  readonly put: (object: KubeJson) => void
  readonly gone: (object: KubeJson) => void
  readonly objects: () => readonly KubeJson[]
  readonly relist: () => Promise<void>
}

function act({ api, put, gone, objects, relist }: World, it: Exclude<Step, { do: 'wait' }>): void {
  switch (it.do) {
    case 'change':
      put(it.kind === 'Service' ? serviceJson('busy', it.last) : sliceJson('busy', [`10.0.1.${it.last}`]))
      return
    case 'remove':
      api.delete(of(busy, it.kind))
      gone(of(busy, it.kind))
      return
    case 'odd':
      put(changed(of(odd, it.kind), it.changes))
      return
    case 'event': {
      const line = eventLine(it.type, changed(of(nobody, it.kind), it.changes))
      // In two pieces.
      write(api, it.kind, [line.slice(0, it.cut), line.slice(it.cut)], 'go on')
      return
    }
    case 'bytes':
      write(api, it.kind, [it.bytes, ...(it.next === 'go on' ? ['\n'] : [])], it.next)
      return
    case 'answer': {
      const body = new FakeBody()
      body.write(it.bytes)
      body.end()
      api.fault(it.kind, it.mode, { status: it.status, headers: it.headers, body })
      return
    }
    case 'list': {
      const body = new FakeBody()
      body.write(
        listOf(
          it,
          objects().filter(object => object.kind === it.kind),
        ),
      )
      body.end()
      api.fault(it.kind, it.mode, { status: 200, headers: {}, body })
      void relist().catch(() => {})
      return
    }
    case 'refuse':
      api.fault(it.kind, it.mode, 'refuse')
      return
    case 'compact':
      api.compact()
      return
    case 'cut':
      api.cutAll()
  }
}

/** What the source has put into the store of these names, by kind and name. */
function stored({ store }: Subject, names: readonly string[]): Record<string, unknown> {
  const services = [...store.services()].filter(it => names.includes(it.name))
  const slices = names.flatMap(name => store.slicesOf(`shop/${name}`))
  return Object.fromEntries([...services, ...slices].map(it => [`${it.kind} ${it.name}`, it]))
}

/** What is to be read of what the server has, by kind and name. */
function wanted(objects: Iterable<KubeJson>): Record<string, unknown> {
  const read = (value: KubeJson): readonly KubeObject[] => {
    const context = { report: () => {}, own: (text: string) => text }
    const result = readObject(value, context)
    return result.outcome === 'object' ? [result.object] : []
  }
  return Object.fromEntries([...objects].flatMap(read).map(it => [`${it.kind} ${it.name}`, it]))
}

/** Asks for lists until so many of each kind were whole: as many as faults may wait in line for them, and one more. */
async function heal(subject: Subject, lists: number): Promise<void> {
  for (let round = 0, whole = 0; round < 5 * lists + 20; round++) {
    let outcome: 'whole' | 'failed' | undefined
    void subject.source.rescan().then(
      () => {
        outcome = 'whole'
      },
      () => {
        outcome = 'failed'
      },
    )
    for (let waits = 0; waits < 20 && outcome === undefined; waits++) await subject.after(20_000)
    assert.notEqual(outcome, undefined, 'a list comes to an end')
    if (outcome === 'whole' && ++whole === lists) return
  }
  assert.fail('lists go on failing')
}

const limits = { ...defaultLimits, maxEventBytes, maxPageBytes, pageSize: 3 }

async function survive(
  steps: readonly Step[],
  options: { readonly streams: boolean; readonly protobuf: boolean },
) {
  await using subject = new Subject({ limits })
  const { api } = subject
  api.streams = options.streams
  api.protobuf = options.protobuf
  const server = new Map<string, KubeJson>()
  const put = (object: KubeJson): void => {
    api.put(object)
    server.set(`${object.kind} ${object.metadata.name}`, object)
  }
  for (const object of [...quiet, ...busy]) put(object)
  const gone = (object: KubeJson): void => {
    server.delete(`${object.kind} ${object.metadata.name}`)
  }
  await subject.start()
  const untouched = wanted(quiet)
  assert.deepEqual(stored(subject, ['quiet', 'calm']), untouched)
  const objects = (): readonly KubeJson[] => [...server.values()]
  const world = { api, put, gone, objects, relist: () => subject.source.rescan() }
  for (const it of steps) {
    if (it.do === 'wait') await subject.after(it.ms)
    else act(world, it)
    await subject.settle()
    assert.deepEqual(stored(subject, ['quiet', 'calm']), untouched, it.do)
  }
  await heal(subject, steps.length + 1)
  await subject.settle()
  const names = ['quiet', 'calm', 'busy', 'odd', 'nobody']
  const query = (kind: string): URLSearchParams => api.lastRequest(kind).query
  const there = [...server.values()].filter(it => selects(query(it.kind), it))
  // Slices that name a Service of no server are in the store, and not looked at here.
  const expected = Object.entries(wanted(there)).filter(
    ([, it]) =>
      !(it as KubeObject).kind.startsWith('Endp') || names.includes((it as { service: string }).service),
  )
  assert.deepEqual(stored(subject, names), Object.fromEntries(expected))
  for (const { where } of subject.source.problems())
    assert.match(where, /^(https:\/\/fake\/|Service\/shop\/odd$|EndpointSlice\/shop\/odd-1$)/)
}

test('answers that are anything, as JSON: nobody else loses an object, and afterwards all is as the server has it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 15 }),
      fc.boolean(),
      async (steps, streams) => {
        await survive(steps, { streams, protobuf: false })
      },
    ),
    { numRuns: 80 },
  )
})

/** An event of nobody's as bytes, with some of them others, or cut. */
const brokenFrame = fc
  .record({
    kind,
    type: fc.constantFrom('ADDED', 'DELETED', 'BOOKMARK', 'ERROR'),
    at: fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 }),
    cut: fc.option(fc.nat(400)),
  })
  .map(({ kind: of_, type, at, cut }) => {
    const frame = Buffer.from(protobufEvent(type, of(nobody, of_)))
    for (const [where, byte] of at) frame[where % frame.length] = byte
    return { kind: of_, bytes: cut === null ? frame : frame.subarray(0, cut) }
  })
const binaryStep: fc.Arbitrary<Step> = fc.oneof(
  // What is of a wrong type cannot be written down.
  step.filter(it => it.do !== 'odd'),
  brokenFrame.map(it => ({ do: 'bytes' as const, next: 'go on' as const, ...it })),
)

test('answers that are anything, as protobuf', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(binaryStep, { minLength: 1, maxLength: 15 }),
      fc.boolean(),
      async (steps, streams) => {
        await survive(steps, { streams, protobuf: true })
      },
    ),
    { numRuns: 80 },
  )
})

test('an object without a namespace is told, and is not taken for that of the namespace default', async () => {
  await using subject = new Subject()
  const { api } = subject
  const own = serviceJson('web', 1)
  api.put({ ...own, metadata: { ...own.metadata, namespace: 'default' } })
  await subject.start()
  const before = subject.store.service('default/web')
  for (const namespace of [undefined, null, '', 5]) {
    const event = serviceJson('web', 9)
    const metadata = { ...event.metadata, namespace }
    for (const type of ['ADDED', 'DELETED'])
      api.watch('Service').write(eventLine(type, { ...event, metadata }))
    await subject.settle()
    assert.deepEqual(subject.store.service('default/web'), before)
    assert.deepEqual(subject.problems(), ['an object has no name, or no namespace: it is ignored'])
  }
})
