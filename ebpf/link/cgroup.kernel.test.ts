import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, rmdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { openPinnedMap } from '../bpf-map.ts'
import { u64 } from '../codec.ts'
import { memoryMap } from '../memory-map.ts'
import { loadObject } from '../object.ts'
import { openPinnedProgram } from '../program.ts'
import { AttachType, Command } from '../sys/bpf-enum.ts'
import { testObject } from '../testdata/build.ts'
import { failOnLeakedFds, forgetProbes, interceptSyscalls, scratchCgroup, scratchPins } from '../testing.ts'
import { attachCgroup, cgroupId, queryCgroup } from './cgroup.ts'
import { openLinkById, openPinnedLink } from './link.ts'

failOnLeakedFds()

const attachType = AttachType.CGROUP_INET4_CONNECT

/** How often `first` and `second` have seen a connect(). */
const counters = (object: ReturnType<typeof loadObject>) => {
  const count = memoryMap(object.map('count'), u64)
  return () => [count.read(0), count.read(1)]
}

/** One connection to ourselves over loopback: null or its error code. */
const connectOnce = async (): Promise<string | null> => {
  const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return null
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  } finally {
    socket.destroy()
    server.close()
    await once(server, 'close')
  }
}

test('a program sees the connections of its cgroup until its link is closed', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const count = counters(object)
  const link = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
  await connectOnce()
  assert.deepEqual(count(), [0n, 0n], 'outside')
  cgroup.enter()
  await connectOnce()
  assert.deepEqual(count(), [1n, 0n])
  link[Symbol.dispose]()
  await connectOnce()
  assert.deepEqual(count(), [1n, 0n])
})

test('a program that says no refuses the connection', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'), { constants: { let_through: false } })
  using _ = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
  cgroup.enter()
  assert.equal(await connectOnce(), 'EPERM')
})

test('a link tells what is attached where', () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const program = object.program('first')
  using link = attachCgroup({ program, cgroup: cgroup.path, attachType })
  const info = link.info()
  assert.deepEqual(info, {
    kind: 'cgroup',
    id: info.id,
    programId: program.id,
    cgroupId: cgroupId(cgroup.path),
    attachType,
  })
  using again = openLinkById(info.id)
  assert.deepEqual(again.info(), info)
  assert.throws(() => openLinkById(0x7fff_ffff), { code: 'NOT_FOUND' })
})

test('programs change place at once, and only if the expected one is there', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const [first, second] = [object.program('first'), object.program('second')]
  const count = counters(object)
  using link = attachCgroup({ program: first, cgroup: cgroup.path, attachType })
  cgroup.enter()
  link.update(second, { expected: first })
  await connectOnce()
  assert.deepEqual(count(), [0n, 1n])
  assert.throws(() => link.update(first, { expected: first }), {
    code: 'PERMISSION',
    message: /replacing the program of link of first to .* by first: EPERM \(first is not the attached one\)/,
  })
  assert.equal(link.info().programId, second.id)
  link.update(first)
  assert.equal(link.info().programId, first.id)
  assert.throws(() => link.update(object.program('rows')), { code: 'INVALID' })
})

test('a pinned link stays attached when its owner is gone, and is found again', async () => {
  using cgroup = scratchCgroup()
  using pins = scratchPins()
  using object = loadObject(testObject('socket'))
  const count = counters(object)
  {
    using link = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
    link.pin(`${pins.path}/connect4`)
  }
  cgroup.enter()
  await connectOnce()
  assert.deepEqual(count(), [1n, 0n])
  using link = openPinnedLink(`${pins.path}/connect4`)
  link.update(object.program('second'))
  await connectOnce()
  assert.deepEqual(count(), [1n, 1n])
})

test('something else that is pinned is not taken for a link', () => {
  using pins = scratchPins()
  using object = loadObject(testObject('socket'))
  object.map('count').pin(`${pins.path}/count`)
  assert.throws(() => openPinnedLink(`${pins.path}/count`), {
    code: 'LAYOUT',
    message: /count is no pinned link, but .*bpf-map/,
  })
  assert.throws(() => openPinnedProgram(`${pins.path}/count`), { code: 'LAYOUT' })
  object.program('first').pin(`${pins.path}/first`)
  assert.throws(() => openPinnedMap(`${pins.path}/first`), { code: 'LAYOUT', message: /no pinned map/ })
  assert.throws(() => openPinnedLink(`${pins.path}/none`), { code: 'NOT_FOUND' })
})

test('a detached link is attached to nothing, whoever holds it', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const count = counters(object)
  using link = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
  using other = openLinkById(link.info().id)
  cgroup.enter()
  other.detach()
  await connectOnce()
  assert.deepEqual(count(), [0n, 0n])
  const info = link.info()
  assert.ok(info.kind === 'cgroup')
  assert.equal(info.cgroupId, 0n)
  assert.throws(() => link.update(object.program('second')), { code: 'GONE', errno: 'ENOLINK' })
})

test('a link tells when its cgroup is gone', () => {
  using object = loadObject(testObject('socket'))
  const cgroup = scratchCgroup()
  using link = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
  cgroup[Symbol.dispose]()
  const deadline = Date.now() + 5000
  const id = () => {
    const info = link.info()
    return info.kind === 'cgroup' ? info.cgroupId : undefined
  }
  // The kernel takes it down in its own time.
  while (id() !== 0n && Date.now() < deadline)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  assert.equal(id(), 0n)
  assert.throws(() => cgroupId(cgroup.path), { code: 'NOT_FOUND' })
})

test('attached programs are listed in the order in which they run, those of outer cgroups only when asked', () => {
  using outer = scratchCgroup()
  const inner = `${outer.path}/inner`
  mkdirSync(inner)
  try {
    using object = loadObject(testObject('socket'))
    const [first, second] = [object.program('first'), object.program('second')]
    using _outer = attachCgroup({ program: first, cgroup: outer.path, attachType })
    using _one = attachCgroup({ program: second, cgroup: inner, attachType })
    using _two = attachCgroup({ program: first, cgroup: inner, attachType })
    assert.deepEqual(queryCgroup(inner, attachType).programIds, [second.id, first.id])
    // What is attached above the scratch cgroup by others runs too.
    const effective = queryCgroup(inner, attachType, { effective: true }).programIds
    const ours = effective.filter(id => id === first.id || id === second.id)
    assert.deepEqual(ours, [second.id, first.id, first.id])
    assert.deepEqual(queryCgroup(inner, AttachType.CGROUP_INET6_CONNECT).programIds, [])
  } finally {
    rmdirSync(inner)
  }
})

test('more programs than a query has room for are asked for again', () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const rooms: number[] = []
  using _ = interceptSyscalls((name, [command, attr]) => {
    if (name !== 'bpf' || command !== Command.PROG_QUERY || !(attr instanceof Uint8Array)) return undefined
    const room = new DataView(attr.buffer).getUint32(24, true)
    rooms.push(room)
    return rooms.length === 1 ? -28 : undefined
  })
  using _link = attachCgroup({ program: object.program('first'), cgroup: cgroup.path, attachType })
  assert.deepEqual(queryCgroup(cgroup.path, attachType).programIds, [object.program('first').id])
  assert.equal(rooms.length, 2)
  assert.ok((rooms[1] ?? 0) > (rooms[0] ?? 0))
})

test('[KPNG-C17] a failed attach says what was wrong, and what the kernel lacks if that was it', () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  const [first, rows] = [object.program('first'), object.program('rows')]
  const attach = (program: typeof first, path: string) => () =>
    attachCgroup({ program, cgroup: path, attachType })
  assert.throws(attach(first, '/tmp'), { code: 'INVALID', message: '/tmp is not on a cgroup2 file system' })
  assert.throws(attach(first, '/nowhere'), { code: 'NOT_FOUND' })
  assert.throws(attach(rows, cgroup.path), {
    code: 'INVALID',
    message: `attaching rows to ${cgroup.path} (CGROUP_INET4_CONNECT): EINVAL`,
  })

  forgetProbes()
  using _ = interceptSyscalls((name, [command]) =>
    name === 'bpf' && command === Command.LINK_CREATE ? -22 : undefined,
  )
  assert.throws(attach(first, cgroup.path), { code: 'UNSUPPORTED', message: /need kernel 5\.7/ })
  forgetProbes()
})

test('a directory that is no cgroup is refused and not kept open', () => {
  assert.throws(() => queryCgroup('/tmp', attachType), { code: 'INVALID' })
  assert.throws(() => queryCgroup('/proc/self/nowhere', attachType), { code: 'NOT_FOUND' })
})
