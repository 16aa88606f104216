import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { Session } from 'node:inspector'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createMap, openPinnedMap } from './bpf-map.ts'
import { bytes, u32, u64 } from './codec.ts'
import { EbpfError } from './error.ts'
import { keyedMap } from './keyed-map.ts'
import { memoryMap } from './memory-map.ts'
import { type LoadOptions, loadObject, loadObjectInThread, readObjectSpec } from './object.ts'
import { AttachType, MapFlag, MapType, ProgramType } from './sys/bpf-enum.ts'
import { testObject } from './testdata/build.ts'
import { failOnLeakedFds, interceptSyscalls, scratchPins } from './testing.ts'
import { VerifierError } from './verifier-error.ts'

failOnLeakedFds()

const load = (options?: LoadOptions) => loadObject(testObject('socket'), options)

test('an object file says what is in it', () => {
  const spec = readObjectSpec(testObject('socket'))
  assert.deepEqual(spec.programs, [
    {
      name: 'first',
      section: 'cgroup/connect4',
      type: ProgramType.CGROUP_SOCK_ADDR,
      attachType: AttachType.CGROUP_INET4_CONNECT,
    },
    {
      name: 'second',
      section: 'cgroup/connect4',
      type: ProgramType.CGROUP_SOCK_ADDR,
      attachType: AttachType.CGROUP_INET4_CONNECT,
    },
    {
      name: 'rows',
      section: 'iter/bpf_sk_storage_map',
      type: ProgramType.TRACING,
      attachType: AttachType.TRACE_ITER,
    },
  ])
  assert.deepEqual(
    spec.maps.map(({ name, type, valueSize }) => [name, type, valueSize]),
    [
      ['record', MapType.SK_STORAGE, 16],
      ['count', MapType.ARRAY, 8],
      ['.rodata', MapType.ARRAY, 16],
    ],
  )
  assert.deepEqual(spec.constants, [
    { name: 'let_through', offset: 0, size: 1 },
    { name: 'mark', offset: 4, size: 4 },
    { name: 'wide', offset: 8, size: 8 },
  ])
})

test('maps get the sizes and constants the values that they are given', () => {
  using object = load({
    maxEntries: { count: 100 },
    constants: { let_through: false, mark: 0xdead, wide: -1n },
  })
  assert.equal(object.map('count').info.maxEntries, 100)
  const rodata = keyedMap(object.map('.rodata'), u32, bytes(16)).lookup(0)
  assert.ok(rodata)
  const view = new DataView(rodata.buffer)
  assert.deepEqual(
    [view.getUint8(0), view.getUint32(4, true), view.getBigUint64(8, true)],
    [0, 0xdead, 0xffff_ffff_ffff_ffffn],
  )
})

test('only the chosen programs are loaded', () => {
  using object = load({ programs: ['second'] })
  assert.deepEqual([...object.programs.keys()], ['second'])
  assert.throws(() => object.program('first'), {
    code: 'NOT_FOUND',
    message: /^socket-\w+\.bpf\.o has no program first; it has: second$/,
  })
})

test('existing maps are used in place of new ones and stay when the object goes', () => {
  using pins = scratchPins()
  {
    using object = load()
    memoryMap(object.map('count'), u64).store64(0, 42n)
    object.map('count').pin(`${pins.path}/count`)
  }
  using count = openPinnedMap(`${pins.path}/count`)
  {
    using object = load({ reuse: { count } })
    assert.equal(object.map('count').info.id, count.info.id)
    assert.ok(object.program('first').info().mapIds.includes(count.info.id))
  }
  assert.equal(memoryMap(count, u64).load64(0), 42n)
})

test('an existing map of another layout is refused, the field named, before anything is loaded', () => {
  using wrong = createMap({ name: 'count', type: MapType.ARRAY, keySize: 4, valueSize: 16, maxEntries: 4 })
  assert.throws(() => load({ reuse: { count: wrong } }), {
    code: 'LAYOUT',
    message: /for count of socket-.*valueSize is 16, expected 8; flags is 0x0, expected 0x400$/,
  })
  using other = createMap({
    name: 'count',
    type: MapType.ARRAY,
    keySize: 4,
    valueSize: 8,
    maxEntries: 7,
    flags: MapFlag.MMAPABLE,
  })
  load({ reuse: { count: other } })[Symbol.dispose]()
  assert.throws(() => load({ reuse: { count: other }, maxEntries: { count: 8 } }), {
    message: /maxEntries is 7, expected 8$/,
  })
})

test('names that the object does not have are errors that list those it has', () => {
  using map = createMap({ name: 'x', type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 })
  const cases: Array<[LoadOptions, RegExp]> = [
    [{ programs: ['third'] }, /has no program third; it has: first, second, rows$/],
    [{ maxEntries: { counts: 1 } }, /has no map counts; it has: record, count, \.rodata$/],
    [{ reuse: { counts: map } }, /has no map counts/],
    [{ constants: { marks: 1 } }, /has no constant marks; it has: let_through, mark, wide$/],
  ]
  for (const [options, message] of cases) assert.throws(() => load(options), { code: 'NOT_FOUND', message })
})

test('a constant that does not fit is refused', () => {
  assert.throws(() => load({ constants: { let_through: 256 } }), {
    code: 'INVALID',
    message: 'constant let_through: 256 does not fit in 1 bytes',
  })
  assert.throws(() => load({ constants: { mark: new Uint8Array(3) } }), { message: /has 4 bytes, not 3/ })
  load({ constants: { mark: new Uint8Array([1, 2, 3, 4]) } })[Symbol.dispose]()
})

test('a program that the verifier refuses is named, with reason, place and the whole log', () => {
  assert.throws(
    () => loadObject(testObject('refused')),
    (error: unknown) => {
      assert.ok(error instanceof VerifierError)
      assert.equal(error.program, 'unchecked')
      assert.match(
        error.message,
        /refuses program unchecked: .*packet.*\n {2}at \d+: \(71\) r0 = .*return data\[100\]/,
      )
      assert.match(error.log, /invalid access to packet, off=100 size=1/)
      assert.match(error.log, /processed \d+ insns/)
      return true
    },
  )
  // The others of the object are fine.
  loadObject(testObject('refused'), { programs: ['fine'] })[Symbol.dispose]()
})

test('what libbpf has to say is in the error and not on stderr', () => {
  const script = `
    import { loadObject } from '${import.meta.resolve('./object.ts')}'
    for (const path of ['/etc/hostname', '/nowhere.o', '${testObject('refused')}'])
      try { loadObject(path) } catch (error) { process.stdout.write(error.code + ' ' + error.message + '\\n') }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  assert.match(stdout, /^LOAD opening \/etc\/hostname: .*not a proper ELF/m)
  assert.match(stdout, /^LOAD opening \/nowhere\.o: .*No such file/m)
  assert.match(stdout, /^VERIFIER /m)
})

test('a map that the kernel does not make is an error with the name of the map', () => {
  assert.throws(
    () => load({ maxEntries: { count: 0xffff_ffff } }),
    (error: unknown) => {
      assert.ok(error instanceof EbpfError)
      assert.equal(error.code, 'LOAD')
      assert.match(error.message, /count/)
      return true
    },
  )
})

test('nothing stays open when taking over what was loaded fails', () => {
  let infos = 0
  using _ = interceptSyscalls((name, [command]) => {
    // BPF_OBJ_GET_INFO_BY_FD of the third thing that is taken over.
    if (name === 'bpf' && command === 15) return ++infos === 3 ? -12 : undefined
    return undefined
  })
  assert.throws(() => load(), { code: 'NO_MEMORY' })
})

test('a program that takes the verifier long loads while the process is profiled', () => {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 500 })
  session.post('Profiler.start')
  try {
    using object = loadObject(testObject('long'))
    assert.ok(object.program('rounds').info().verifiedInstructions > 100_000)
  } finally {
    session.post('Profiler.stop')
    session.disconnect()
  }
})

test('loaded in a thread it is the same, two at once too, and others have their turns meanwhile', async () => {
  let turns = 0
  let loading = true
  const others = (async () => {
    for (; loading; turns++) await nextTurn()
  })()
  const options: LoadOptions = { programs: ['second'], maxEntries: { count: 100 } }
  const path = testObject('socket')
  {
    const [long, first, second] = await Promise.all([
      loadObjectInThread(testObject('long')),
      loadObjectInThread(path, options),
      loadObjectInThread(path, options),
    ])
    using resources = new DisposableStack()
    for (const object of [long, first, second]) resources.use(object)
    assert.ok(long.program('rounds').info().verifiedInstructions > 100_000)
    for (const { maps, programs } of [first, second]) {
      assert.equal(maps.get('count')?.info.maxEntries, 100)
      assert.deepEqual([...programs.keys()], ['second'])
    }
    assert.notEqual(first.program('second').id, second.program('second').id)
  }
  loading = false
  await others
  assert.ok(turns > 10, `${turns} turns`)
})

test('what fails in a thread is told as it is without one', async () => {
  await assert.rejects(loadObjectInThread(testObject('refused')), (error: unknown) => {
    assert.ok(error instanceof VerifierError)
    assert.equal(error.program, 'unchecked')
    return true
  })
  const path = testObject('socket')
  await assert.rejects(loadObjectInThread(path, { maxEntries: { count: 0xffff_ffff } }), {
    code: 'LOAD',
    message: /count/,
  })
  await assert.rejects(loadObjectInThread(path, { programs: ['third'] }), { code: 'NOT_FOUND' })
})
