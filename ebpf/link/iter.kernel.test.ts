import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readSync } from 'node:fs'
import { test } from 'node:test'
import { createMap } from '../bpf-map.ts'
import { bytes, u32, u64 } from '../codec.ts'
import { keyedMap } from '../keyed-map.ts'
import type { Codec } from '../map.ts'
import { loadObject } from '../object.ts'
import { AttachType, Command, MapType } from '../sys/bpf-enum.ts'
import { Fd } from '../sys/fd.ts'
import { openRead } from '../sys/file.ts'
import { syscall } from '../sys/syscall.ts'
import { testObject } from '../testdata/build.ts'
import { failOnLeakedFds, forgetProbes, interceptSyscalls, scratchCgroup, scratchPins } from '../testing.ts'
import { attachCgroup } from './cgroup.ts'
import { attachIter, readIter } from './iter.ts'
import { openPinnedLink } from './link.ts'

failOnLeakedFds()

/** struct record of testdata/socket.bpf.c. */
const record: Codec<{ cookie: bigint; mark: number }> = {
  size: 16,
  encode() {},
  decode: (from, at) => ({ cookie: u64.decode(from, at), mark: u32.decode(from, at + 12) }),
}

const AF_INET = 2
const SOCK_DGRAM = 2
const openSocket = (): Fd => Fd.from(syscall('socket', AF_INET, SOCK_DGRAM, 0), 'socket', 'opening a socket')

/** Connected UDP sockets on loopback, made under the program `first`: each has a record. */
const connectSockets = async (count: number): Promise<AsyncDisposable> => {
  const sockets: Socket[] = []
  for (let index = 0; index < count; index++) {
    const socket = createSocket('udp4')
    socket.connect(9, '127.0.0.1')
    await once(socket, 'connect')
    sockets.push(socket)
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) {
        socket.close()
        await once(socket, 'close')
      }
    },
  }
}

test('an iterator gives a row for each socket of a storage map', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'), { constants: { mark: 77 } })
  using _hook = attachCgroup({
    program: object.program('first'),
    cgroup: cgroup.path,
    attachType: AttachType.CGROUP_INET4_CONNECT,
  })
  using link = attachIter({ program: object.program('rows'), map: object.map('record') })
  cgroup.enter()
  assert.deepEqual([...readIter(link, record)], [])
  await using _sockets = await connectSockets(300)
  const rows = [...readIter(link, record)]
  assert.equal(rows.length, 300)
  assert.equal(new Set(rows.map(({ cookie }) => cookie)).size, 300)
  assert.ok(rows.every(({ mark }) => mark === 77))
})

test('an iterator can be pinned, tells its map, and be left in the middle', async () => {
  using cgroup = scratchCgroup()
  using pins = scratchPins()
  using object = loadObject(testObject('socket'))
  using _hook = attachCgroup({
    program: object.program('first'),
    cgroup: cgroup.path,
    attachType: AttachType.CGROUP_INET4_CONNECT,
  })
  {
    using link = attachIter({ program: object.program('rows'), map: object.map('record') })
    link.pin(`${pins.path}/rows`)
  }
  using link = openPinnedLink(`${pins.path}/rows`)
  const info = link.info()
  assert.deepEqual(info, {
    kind: 'iter',
    id: info.id,
    programId: object.program('rows').id,
    mapId: object.map('record').info.id,
  })
  cgroup.enter()
  await using _sockets = await connectSockets(3)
  for (const _row of readIter(link, record)) break // the descriptor must not stay open: checked after the test
})

test('rows are joined where a read ends inside one, and what is left over is an error', async () => {
  using cgroup = scratchCgroup()
  using object = loadObject(testObject('socket'))
  using _hook = attachCgroup({
    program: object.program('first'),
    cgroup: cgroup.path,
    attachType: AttachType.CGROUP_INET4_CONNECT,
  })
  using link = attachIter({ program: object.program('rows'), map: object.map('record') })
  cgroup.enter()
  await using _sockets = await connectSockets(3)
  {
    // The kernel gives no more than 7 bytes at once.
    using _ = interceptSyscalls((name, [fd, buffer]) =>
      name === 'read' ? readSync(Number(fd), buffer as Uint8Array, 0, 7, null) : undefined,
    )
    const rows = [...readIter(link, record)]
    assert.deepEqual(
      rows.map(({ mark }) => mark),
      [7, 7, 7],
    )
  }
  // 3 rows of 16 bytes are 2 of 24, or 4 of 10 and a rest.
  assert.equal([...readIter(link, bytes(24))].length, 2)
  assert.throws(() => [...readIter(link, bytes(10))], {
    code: 'MALFORMED',
    message: /8 bytes are left, rows have 10/,
  })
})

test('socket storage is read by the descriptor of the socket', async () => {
  using map = createMap({ name: 'sk', type: MapType.SK_STORAGE, keySize: 4, valueSize: 8, maxEntries: 0 })
  const typed = keyedMap(map, u32, u64)
  using socket = openSocket()
  const fd = socket.number
  assert.equal(typed.lookup(fd), undefined)
  typed.update(fd, 5n)
  assert.equal(typed.lookup(fd), 5n)
  typed.updateBatch([[fd, 6n]]) // has no batches: one by one
  assert.equal(typed.lookup(fd), 6n)
  assert.equal(typed.delete(fd), true)
  using file = openRead('/proc/self/stat')
  assert.throws(() => typed.lookup(file.number), { code: 'KERNEL', errno: 'ENOTSOCK' })
  assert.throws(() => [...typed.entries()], { code: 'UNSUPPORTED' })
})

test('a failed attach says what the kernel lacks', () => {
  using object = loadObject(testObject('socket'))
  assert.throws(() => attachIter({ program: object.program('rows') }), { code: 'INVALID', errno: 'EBADF' })
  forgetProbes()
  using _ = interceptSyscalls((name, [command]) => {
    const iterates = command === Command.LINK_CREATE || command === Command.ITER_CREATE
    return name === 'bpf' && iterates ? -22 : undefined
  })
  assert.throws(() => attachIter({ program: object.program('rows') }), {
    code: 'UNSUPPORTED',
    message: /need kernel 5\.8/,
  })
  forgetProbes()
})
