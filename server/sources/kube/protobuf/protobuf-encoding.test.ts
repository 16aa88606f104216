import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import type { WatchEvent } from '../answers.ts'
import { ApiFailure } from '../api-failure.ts'
import { serviceJson } from '../testing/objects.ts'
import { protobufEvent, protobufObject } from '../testing/protobuf.ts'
import { decode, schema, text, texts } from './decode.ts'
import { protobufEncoding } from './protobuf-encoding.ts'

async function* pieces(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}

async function eventsOf(...all: readonly Uint8Array[]): Promise<WatchEvent[]> {
  const found: WatchEvent[] = []
  for await (const events of protobufEncoding.events(pieces(...all), 10_000)) found.push(...events)
  return found
}

const isBroken = (message: RegExp) => (reason: unknown) =>
  reason instanceof ApiFailure && reason.code === 'broken' && message.test(reason.message)

const names = ['web', 'db', 'mail', 'ünïcode', 'x'.repeat(500)]
const stream = Buffer.concat(names.map(name => protobufEvent('ADDED', serviceJson(name))))

test('frames are the same however the stream is cut into pieces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 30 }), async cuts => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length]
      const found = await eventsOf(...places.slice(1).map((end, i) => stream.subarray(places[i], end)))
      assert.deepEqual(
        found.map(it => it.type === 'put' && (it.object as { metadata: { name: string } }).metadata.name),
        names,
      )
    }),
  )
})

test('a stream that ends inside of a frame, a frame beyond the bound', async () => {
  for (const bytes of [1, 3, 4, 60, stream.length - 1])
    await assert.rejects(eventsOf(stream.subarray(0, bytes)), isBroken(/cut in the middle/))
  const long = protobufEvent('ADDED', serviceJson('x'.repeat(10_000)))
  await assert.rejects(eventsOf(long), isBroken(/longer than 10000 bytes/))
  // Nothing of it has to be there for that.
  await assert.rejects(eventsOf(Buffer.from([0xff, 0xff, 0xff, 0xff])), isBroken(/longer than 10000 bytes/))
})

test('bytes that are damaged are a broken answer or another object, and never anything else', async () => {
  const whole = protobufObject(serviceJson('web'))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
      const damaged = Buffer.from(whole)
      damaged[at] = byte
      try {
        assert.equal(typeof (await protobufEncoding.object(pieces(damaged), 10_000)), 'object')
      } catch (reason) {
        assert.ok(isBroken(/^the answer is/)(reason), String(reason))
      }
    }),
  )
  for (let length = 0; length < 12; length++)
    await assert.rejects(
      protobufEncoding.object(pieces(whole.subarray(0, length)), 10_000),
      isBroken(/the answer is/),
    )
})

test('what is no Kubernetes protobuf, and what nobody asked for, is broken', async () => {
  await assert.rejects(protobufEncoding.object(pieces(Buffer.from('{}')), 100), isBroken(/no protobuf/))
  await assert.rejects(
    protobufEncoding.list(pieces(protobufObject(serviceJson('web'))), 10_000),
    isBroken(/no list/),
  )
  const pod = new BinaryWriter()
  const typeMeta = new BinaryWriter().tag(1, WireType.LengthDelimited).string('v1')
  pod.tag(1, WireType.LengthDelimited).bytes(typeMeta.tag(2, WireType.LengthDelimited).string('Pod').finish())
  const answer = Buffer.concat([Buffer.from('k8s\0'), pod.finish()])
  await assert.rejects(protobufEncoding.object(pieces(answer), 100), isBroken(/is a v1 Pod/))
})

test('a field of another wire type is passed over, one that is longer than its message is an error', () => {
  const outer = schema({ 1: text('name'), 2: texts('labels') })
  const number = new BinaryWriter().tag(1, WireType.Varint).int32(7).finish()
  assert.deepEqual(decode(number, outer), {})
  assert.throws(() => decode(Buffer.from([0x12, 0x02, 0x0a, 0x05]), outer), /longer than its message|EOF/)
  assert.throws(() => decode(Buffer.from([0x0a, 0x7f, 0x41]), outer), /longer than its message/)
})

test('a label may be called __proto__', () => {
  const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).string('__proto__')
  const value = entry.tag(2, WireType.LengthDelimited).string('x').finish()
  const bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(value).finish()
  const { labels } = decode(bytes, schema({ 1: texts('labels') }))
  assert.deepEqual(Object.entries(labels as object), [['__proto__', 'x']])
  assert.equal(({} as Record<string, unknown>).x, undefined)
})
