import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadObject } from './object.ts'
import { openPinnedProgram, openProgramById } from './program.ts'
import { enableStats } from './stats.ts'
import { ProgramType } from './sys/bpf-enum.ts'
import { testObject } from './testdata/build.ts'
import { failOnLeakedFds, scratchPins } from './testing.ts'

failOnLeakedFds()

const packet = Uint8Array.from({ length: 64 }, (_, index) => index)

test('a program runs on a packet and gives back result, data and time', () => {
  using object = loadObject(testObject('packet'))
  const program = object.program('swap_first')
  const once = program.testRun({ data: packet })
  assert.equal(once.retval, 64)
  assert.deepEqual(once.data, Uint8Array.from([1, 0, ...packet.subarray(2)]))
  const often = program.testRun({ data: packet, repeat: 10_000 })
  assert.ok(often.durationNs > 0 && often.durationNs < 100_000, `${often.durationNs} ns`)
})

test('a result below zero is a number below zero', () => {
  using object = loadObject(testObject('context'))
  assert.equal(object.program('mark').testRun({ data: packet }).retval, -5)
})

test('the context goes in and comes out', () => {
  using object = loadObject(testObject('context'))
  const context = new Uint8Array(192)
  new DataView(context.buffer).setUint32(8, 41, true) // __sk_buff.mark
  const result = object.program('mark').testRun({ data: packet, context })
  assert.equal(new DataView(result.context.buffer, result.context.byteOffset).getUint32(8, true), 42)
})

test('cgroup hooks cannot be run this way, and the error says so', () => {
  using object = loadObject(testObject('socket'), { programs: ['second'] })
  assert.throws(() => object.program('second').testRun({ data: packet }), {
    code: 'UNSUPPORTED',
    message: 'running program second: ENOTSUPP',
  })
})

test('runs are counted and timed while statistics are on', () => {
  using object = loadObject(testObject('packet'))
  const program = object.program('swap_first')
  {
    using _ = enableStats()
    program.testRun({ data: packet, repeat: 100 })
  }
  const { runs, timeNs } = program.stats()
  assert.equal(runs, 100n)
  assert.ok(timeNs > 100n)
})

test('a program can be found by its pin and by its id', () => {
  using pins = scratchPins()
  using object = loadObject(testObject('packet'))
  const program = object.program('swap_first')
  program.pin(`${pins.path}/p`)
  using pinned = openPinnedProgram(`${pins.path}/p`)
  using byId = openProgramById(program.id)
  assert.deepEqual(pinned.info(), program.info())
  assert.deepEqual(byId.info(), program.info())
  assert.equal(pinned.name, 'swap_first')
  assert.throws(() => openProgramById(0x7fff_ffff), { code: 'NOT_FOUND' })
})

test('a program knows itself and its maps', () => {
  using object = loadObject(testObject('packet'))
  const info = object.program('send_event').info()
  assert.equal(info.type, ProgramType.SCHED_CLS)
  assert.match(info.tag, /^[0-9a-f]{16}$/)
  const ids = [...object.maps.values()].map(map => map.info.id)
  assert.deepEqual(info.mapIds.toSorted(), ids.toSorted())
  assert.ok(info.instructions > 10)
})
