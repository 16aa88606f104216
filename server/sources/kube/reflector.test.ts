/** The fault table: what the store has after each thing that can go wrong between it and the API server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeBody } from './testing/body.ts'
import { answer, eventLine, type FakeAnswer, status } from './testing/fake-api.ts'
import { serviceJson } from './testing/objects.ts'
import { Subject, type SubjectOptions } from './testing/subject.ts'

const web = serviceJson('web', 1)
const db = serviceJson('db', 2)
const mail = serviceJson('mail', 3)

/** What is expected after a step; what is left out is not looked at, problems are none unless said. */
interface Expected {
  /** Names of Services in the store; ? while their first list is not complete. */
  readonly has?: string
  /** How Services were asked for since the start. */
  readonly asked?: string
  /** One pattern a problem. */
  readonly problems?: readonly RegExp[]
  /** Connections given up since the start. */
  readonly retired?: number
}

type Step = readonly [act: (subject: Subject) => unknown, expected: Expected]

interface Row {
  readonly name: string
  /** What is written to the wire is JSON. */
  readonly json?: boolean
  readonly options?: SubjectOptions
  readonly steps: readonly Step[]
}

const wait =
  (ms: number) =>
  (s: Subject): Promise<void> =>
    s.after(ms)
/** The server has web and db; the source follows it. */
const following: Step = [
  s => {
    s.api.put(web, db)
    return s.start()
  },
  { has: 'db web', asked: 'stream' },
]
const busy = (seconds: number): FakeAnswer =>
  status(429, 'too many requests', { 'retry-after': `${seconds}` })

const table: readonly Row[] = [
  {
    name: 'changes arrive, one that leaves the selector is gone',
    steps: [
      following,
      [s => s.api.put(mail), { has: 'db mail web' }],
      [s => s.api.delete(db), { has: 'mail web' }],
      [
        s => s.api.put(serviceJson('web', 1, { labels: { 'service.kubernetes.io/service-proxy-name': '' } })),
        { has: 'mail', asked: 'stream' },
      ],
    ],
  },
  {
    name: 'the server is down at the start: nothing is complete, it is asked at growing intervals, then served',
    steps: [
      [
        s => {
          s.api.put(web)
          s.api.fault('Service', 'stream', 'refuse', 'refuse', 'refuse')
          return s.start()
        },
        { has: '?', asked: 'stream', problems: [/ECONNREFUSED/], retired: 1 },
      ],
      [wait(499), { has: '?', asked: 'stream', problems: [/ECONNREFUSED/] }],
      [wait(1), { has: '?', asked: 'stream stream', problems: [/ECONNREFUSED/] }],
      [wait(999), { has: '?', asked: 'stream stream', problems: [/ECONNREFUSED/] }],
      [wait(1), { has: '?', asked: 'stream stream stream', problems: [/ECONNREFUSED/] }],
      [wait(2000), { has: 'web', asked: 'stream stream stream stream' }],
    ],
  },
  {
    name: 'waits grow no longer than 30 s',
    steps: [
      [
        async s => {
          s.api.fault('Service', 'stream', ...Array<'refuse'>(10).fill('refuse'))
          await s.start()
          for (const ms of [500, 1000, 2000, 4000, 8000, 16_000]) await s.after(ms)
        },
        { asked: Array(7).fill('stream').join(' '), problems: [/ECONNREFUSED/] },
      ],
      [wait(29_999), { asked: Array(7).fill('stream').join(' '), problems: [/ECONNREFUSED/] }],
      [wait(1), { asked: Array(8).fill('stream').join(' '), problems: [/ECONNREFUSED/] }],
      [wait(30_000), { asked: Array(9).fill('stream').join(' '), problems: [/ECONNREFUSED/] }],
    ],
  },
  ...[400, 405, 422, 501].map(
    (code): Row => ({
      name: `${code} to a streamed list: a list by pages at once, then a watch`,
      options: { limits: { pageSize: 2 } },
      steps: [
        [
          s => {
            s.api.put(web, db, mail)
            s.api.fault('Service', 'stream', status(code, 'what is sendInitialEvents?'))
            return s.start()
          },
          { has: 'db mail web', asked: 'stream list list watch', retired: 0 },
        ],
        [s => s.api.delete(mail), { has: 'db web' }],
      ],
    }),
  ),
  {
    name: 'a server that does not know streamed lists, and ignores the wish: a list by pages after the silence',
    steps: [
      [
        s => {
          s.api.put(web)
          s.api.streams = 'ignored'
          return s.start()
        },
        { has: '?', asked: 'stream' },
      ],
      [wait(30_000), { has: '?', problems: Array(4).fill(/nothing was heard/), retired: 1 }],
      [wait(500), { has: 'web', asked: 'stream list watch' }],
      [
        s => {
          s.api.streams = true
          return s.source.rescan()
        },
        { has: 'web', asked: 'stream list watch stream' },
      ],
    ],
  },
  {
    name: 'pages expire while they are read: one big page',
    options: { limits: { pageSize: 1 } },
    steps: [
      [
        s => {
          s.api.streams = false
          s.api.put(web, db)
          const first = { metadata: { resourceVersion: '1', continue: '1:1' }, items: [serviceJson('gone')] }
          s.api.fault('Service', 'list', answer(200, first))
          return s.start()
        },
        { has: 'db web', asked: 'stream list list list watch' },
      ],
      [s => s.api.put(mail), { has: 'db mail web' }],
    ],
  },
  {
    name: 'a list is cut between its pages: nothing of it is used',
    options: { limits: { pageSize: 1 } },
    steps: [
      [
        s => {
          s.api.streams = false
          s.api.put(web, db)
          const first = { metadata: { resourceVersion: '1', continue: '1:1' }, items: [serviceJson('gone')] }
          s.api.fault('Service', 'list', answer(200, first), 'refuse')
          return s.start()
        },
        { has: '?', asked: 'stream list list', problems: [/ECONNREFUSED/] },
      ],
      [wait(500), { has: 'db web' }],
    ],
  },
  {
    name: 'a list that is cut in the middle of its text is none',
    steps: [
      [
        s => {
          s.api.streams = false
          s.api.put(web)
          s.api.fault('Service', 'list', answer(200, '{"metadata":{"resourceVersion":"1"},"items":['))
          return s.start()
        },
        { has: '?', problems: [/no JSON/] },
      ],
      [wait(500), { has: 'web' }],
    ],
  },
  {
    name: 'a watch that the server ends is taken up where it was, without a word',
    steps: [
      following,
      [wait(140_000), { has: 'db web' }],
      [s => s.api.watch('Service').end(), { has: 'db web', asked: 'stream watch', retired: 0 }],
      [s => s.api.put(mail), { has: 'db mail web' }],
    ],
  },
  {
    name: 'a watch that ends at once is not asked for again and again',
    steps: [
      following,
      [s => s.api.watch('Service').end(), { asked: 'stream' }],
      [wait(500), { asked: 'stream watch' }],
      [s => s.api.watch('Service').end(), { asked: 'stream watch' }],
      [wait(999), { asked: 'stream watch' }],
      [wait(1), { asked: 'stream watch watch' }],
    ],
  },
  {
    name: 'after a watch that lived for 10 s the first wait is a short one again',
    steps: [
      following,
      [s => s.api.watch('Service').end(), { asked: 'stream' }],
      [wait(500), { asked: 'stream watch' }],
      [wait(10_000), {}],
      [s => s.api.watch('Service').cut(), { asked: 'stream watch' }],
      [wait(500), { asked: 'stream watch watch' }],
    ],
  },
  {
    name: 'so it is when that watch ended in order',
    steps: [
      following,
      [s => s.api.watch('Service').end(), { asked: 'stream' }],
      [wait(500), { asked: 'stream watch' }],
      [wait(10_000), {}],
      [s => s.api.watch('Service').end(), { asked: 'stream watch watch' }],
      [s => s.api.watch('Service').end(), { asked: 'stream watch watch' }],
      [wait(500), { asked: 'stream watch watch watch' }],
    ],
  },
  {
    name: 'a cut in the middle of a line: half an event is none, the whole one comes after it',
    json: true,
    steps: [
      following,
      [
        s => {
          const watch = s.api.watch('Service')
          watch.write(eventLine('ADDED', mail).slice(0, 60))
          watch.cut()
        },
        { has: 'db web', retired: 1 },
      ],
      [
        s => {
          s.api.put(mail)
          return s.after(500)
        },
        { has: 'db mail web', asked: 'stream watch' },
      ],
    ],
  },
  {
    name: 'a stream that ends in order in the middle of a line is a cut as well',
    json: true,
    steps: [
      following,
      [
        s => {
          s.api.watch('Service').write('{"type":"ADDED"')
          s.api.watch('Service').end()
        },
        { has: 'db web', retired: 1 },
      ],
      [wait(500), { asked: 'stream watch' }],
    ],
  },
  {
    name: 'changes while there was no connection are not missed',
    steps: [
      following,
      [s => s.api.watch('Service').cut(), { has: 'db web' }],
      [
        s => {
          s.api.put(mail)
          s.api.delete(db)
          return s.after(500)
        },
        { has: 'mail web', asked: 'stream watch' },
      ],
    ],
  },
  {
    name: '410 to a watch: what is served stays until the new list is whole, then what is gone goes',
    steps: [
      following,
      [
        s => {
          s.api.watch('Service').cut()
          s.api.delete(web)
          s.api.put(mail)
          s.api.compact()
          s.api.fault('Service', 'stream', 'refuse')
          return s.settle().then(() => s.after(500))
        },
        { has: 'db web', asked: 'stream watch' },
      ],
      [wait(1000), { has: 'db web', asked: 'stream watch stream', problems: [/ECONNREFUSED/] }],
      [wait(2000), { has: 'db mail', asked: 'stream watch stream stream' }],
    ],
  },
  ...[{ code: 410 }, { code: 400, reason: 'Expired' }].map(
    (object): Row => ({
      name: `an event ERROR ${JSON.stringify(object)}: a new list`,
      steps: [
        following,
        [
          s => s.api.tell('Service', 'ERROR', { kind: 'Status', ...object }),
          { has: 'db web', asked: 'stream' },
        ],
        [
          s => {
            s.api.delete(db)
            return s.after(500)
          },
          { has: 'web', asked: 'stream stream' },
        ],
      ],
    }),
  ),
  {
    name: 'an event ERROR 500: the watch goes on where it was',
    steps: [
      following,
      [
        s => s.api.tell('Service', 'ERROR', { kind: 'Status', code: 500, message: 'etcd is tired' }),
        { has: 'db web', problems: [/500 etcd is tired/] },
      ],
      [wait(500), { has: 'db web', asked: 'stream watch' }],
    ],
  },
  {
    name: 'a bookmark moves the place at which a watch goes on: compaction of what was seen does no harm',
    steps: [
      following,
      [
        s => {
          s.api.put({
            ...mail,
            metadata: { ...mail.metadata, labels: { 'service.kubernetes.io/service-proxy-name': 'x' } },
          })
          s.api.compact()
          s.api.bookmark('Service')
          return s.settle()
        },
        { has: 'db web' },
      ],
      [s => s.api.watch('Service').cut(), {}],
      [wait(500), { has: 'db web', asked: 'stream watch' }],
      [wait(10_000), { has: 'db web', asked: 'stream watch' }],
    ],
  },
  {
    name: '429 with Retry-After: nothing is asked before',
    steps: [
      [
        s => {
          s.api.put(web)
          s.api.fault('Service', 'stream', busy(7))
          return s.start()
        },
        { has: '?', asked: 'stream', problems: [/429 too many requests/], retired: 0 },
      ],
      [wait(6999), { asked: 'stream', problems: [/429/] }],
      [wait(1), { has: 'web', asked: 'stream stream' }],
    ],
  },
  {
    name: '503 to a watch, Retry-After out of all reason: within a minute, and no new list',
    steps: [
      following,
      [
        s => {
          s.api.fault('Service', 'watch', status(503, 'later', { 'retry-after': '86400' }))
          s.api.watch('Service').cut()
          return s.settle().then(() => s.after(500))
        },
        { has: 'db web', problems: [/503 later/] },
      ],
      [wait(59_999), { asked: 'stream watch', problems: [/503 later/] }],
      [wait(1), { has: 'db web', asked: 'stream watch watch' }],
    ],
  },
  {
    name: 'a watch that is refused again and again: a new list in the end, what is served stays',
    options: { limits: { maxResumes: 3 } },
    steps: [
      following,
      [
        async s => {
          s.api.fault('Service', 'watch', ...Array.from({ length: 9 }, () => status(504, 'from the future')))
          s.api.watch('Service').end()
          await s.settle()
          for (const ms of [500, 1000, 2000]) await s.after(ms)
        },
        { has: 'db web', asked: 'stream watch watch watch', problems: [/504/] },
      ],
      [
        s => {
          s.api.delete(db)
          return s.after(4000)
        },
        { has: 'web', asked: 'stream watch watch watch stream' },
      ],
    ],
  },
  {
    name: 'a server that is gone for long is asked for the same watch, not for a list',
    options: { limits: { maxResumes: 2 } },
    steps: [
      following,
      [
        async s => {
          s.api.fault('Service', 'watch', 'refuse', 'refuse', 'refuse', 'refuse')
          s.api.watch('Service').cut()
          await s.settle()
          for (const ms of [500, 1000, 2000, 4000]) await s.after(ms)
        },
        { has: 'db web', asked: 'stream watch watch watch watch', problems: [/ECONNREFUSED/] },
      ],
      [
        s => {
          s.api.put(mail)
          return s.after(8000)
        },
        { has: 'db mail web', asked: 'stream watch watch watch watch watch' },
      ],
    ],
  },
  {
    name: 'a connection that died in silence is given up, the watch goes on over another one',
    steps: [
      following,
      [wait(149_999), { asked: 'stream' }],
      [wait(1), { has: 'db web', asked: 'stream' }],
      [
        s => {
          s.api.put(mail)
          return s.after(500)
        },
        { has: 'db mail web', asked: 'stream watch' },
      ],
    ],
  },
  {
    name: 'a bookmark a minute is enough to be alive',
    steps: [
      following,
      [
        async s => {
          for (let minute = 0; minute < 10; minute++) {
            await s.after(60_000)
            s.api.bookmark('Service')
            await s.settle()
          }
        },
        { has: 'db web', asked: 'stream' },
      ],
    ],
  },
  {
    name: 'a request without any answer is given up after a minute',
    steps: [
      [
        s => {
          s.api.put(web)
          s.api.fault('Service', 'stream', 'hang')
          return s.start()
        },
        { has: '?', asked: 'stream' },
      ],
      [wait(59_999), { asked: 'stream' }],
      [wait(1), { has: '?', problems: [/nothing was heard/] }],
      [wait(500), { has: 'web', asked: 'stream list watch' }],
    ],
  },
  {
    name: '401: another connection, for which the token is read again',
    steps: [
      [
        s => {
          s.api.put(web)
          s.api.fault('Service', 'stream', status(401, 'Unauthorized'))
          return s.start()
        },
        { has: '?', problems: [/401 Unauthorized/], retired: 1 },
      ],
      [wait(500), { has: 'web', retired: 1 }],
    ],
  },
  {
    name: 'a line without end is an error with a bound, a list by pages helps',
    json: true,
    options: { limits: { maxEventBytes: 1000, maxResumes: 2 } },
    steps: [
      following,
      [s => s.api.watch('Service').write('x'.repeat(1001)), { has: 'db web' }],
      [
        s => {
          s.api.put(serviceJson('x'.repeat(1500)))
          return s.after(500)
        },
        { has: 'db web', problems: [/longer than 1000 bytes/] },
      ],
      [wait(1000), { has: 'db web', asked: 'stream watch stream', problems: [/longer than 1000 bytes/] }],
      [
        wait(2000),
        { has: 'db web', asked: 'stream watch stream list watch', problems: [/is longer than 63/] },
      ],
    ],
  },
  {
    name: 'a line that is no JSON, or no event, is a broken watch',
    json: true,
    steps: [
      following,
      [s => s.api.watch('Service').write('\u0000\n'), { has: 'db web', retired: 1 }],
      [wait(500), { has: 'db web', asked: 'stream watch' }],
      [s => s.api.watch('Service').write('{"type":"MOVED"}\n'), { has: 'db web', problems: [/is no event/] }],
      [
        s => {
          s.api.put(mail)
          return s.after(1000)
        },
        { has: 'db mail web', asked: 'stream watch watch' },
      ],
    ],
  },
  {
    name: 'a malformed object is a problem of its own, until it is mended; the others are served',
    json: true,
    steps: [
      [
        s => {
          const bad = { ...web, spec: { clusterIP: '10.96.0.1', ports: [{ port: 99_999 }] } }
          s.api.put(db, bad, { kind: 'Service', metadata: { name: 'Bad Name', namespace: 'shop' } })
          return s.start()
        },
        {
          has: 'db web',
          problems: [/must be a whole number from 1 to 65535/, /is not a name/],
        },
      ],
      [s => s.api.put(web), { problems: [/is not a name/] }],
      [
        s => s.api.delete({ kind: 'Service', metadata: { name: 'Bad Name', namespace: 'shop' } }),
        { has: 'db web' },
      ],
      [
        s => s.api.watch('Service').write(eventLine('ADDED', 7) + eventLine('ADDED', mail)),
        { has: 'db mail web', asked: 'stream', problems: [/has no name/] },
      ],
    ],
  },
  {
    name: 'an object that can no longer be used is one that is gone',
    steps: [
      following,
      [
        s => s.api.tell('Service', 'MODIFIED', { ...web, metadata: { ...web.metadata, name: 'x y' } }),
        { has: 'db web', problems: [/is not a name/] },
      ],
      [
        s =>
          s.api.tell('Service', 'MODIFIED', { kind: 'Service', metadata: { name: 'web', namespace: '?' } }),
        { has: 'db web', problems: [/is not a name/, /is not a name/] },
      ],
    ],
  },
  {
    name: 'a bound of the store keeps an object out and says so; it comes in when another one goes',
    options: { maxObjects: 2 },
    steps: [
      following,
      [s => s.api.put(mail), { has: 'db web', problems: [/is not used: more than 2 objects/] }],
      [s => s.api.delete(db), { has: 'mail web' }],
    ],
  },
]

for (const { name, json = false, options, steps, protobuf } of table.flatMap(row => [
  { ...row, protobuf: false },
  ...(row.json === true ? [] : [{ ...row, protobuf: true }]),
])) {
  test(`reflector${protobuf ? ', protobuf' : json ? ', JSON' : ''}: ${name}`, async () => {
    await using s = new Subject(options)
    s.api.protobuf = protobuf
    for (const [i, [act, expected]] of steps.entries()) {
      await act(s)
      await s.settle()
      const step = `step ${i + 1}`
      if (expected.has !== undefined) assert.equal(s.services(), expected.has, step)
      if (expected.asked !== undefined) assert.equal(s.api.modes('Service'), expected.asked, step)
      if (expected.retired !== undefined) assert.equal(s.transport.retired, expected.retired, step)
      const problems = s.problems()
      assert.equal(problems.length, expected.problems?.length ?? 0, `${step}: ${problems}`)
      for (const [at, pattern] of (expected.problems ?? []).entries())
        assert.match(problems[at] ?? '', pattern, step)
    }
  })
}

test('reflector: a streamed list is published at once, when the server says that it is whole', async () => {
  await using s = new Subject()
  const body = new FakeBody()
  s.api.fault('Service', 'stream', { status: 200, headers: {}, body })
  await s.start()
  const annotations = { 'k8s.io/initial-events-end': 'true' }
  for (const [line, expected] of [
    [eventLine('ADDED', web) + eventLine('ADDED', db), '?'],
    [eventLine('DELETED', db), '?'],
    [eventLine('BOOKMARK', { metadata: { resourceVersion: '7' } }), '?'],
    [eventLine('BOOKMARK', { metadata: { resourceVersion: '8', annotations } }), 'web'],
  ] as const) {
    body.write(line)
    await s.settle()
    assert.equal(s.services(), expected)
  }
})
