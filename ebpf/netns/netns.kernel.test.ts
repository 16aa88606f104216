import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { EbpfError } from '../error.ts'
import { AF_INET, AF_INET6 } from '../sys/sock-diag.ts'
import { NetnsWorker, type NetnsWorkerOptions } from './netns-worker.ts'
import type { OpenedSocket, SocketToDestroy, SocketToOpen } from './requests.ts'

const UDP = 17
const unique = `kpng-t-${process.pid}-${randomBytes(2).toString('hex')}`
const made: string[] = []
after(() => {
  for (const name of made) execFileSync('ip', ['netns', 'del', name])
})

/** A network namespace of this test with only a loopback device. */
function makeNetns(suffix: string) {
  const name = `${unique}-${suffix}`
  execFileSync('ip', ['netns', 'add', name])
  made.push(name)
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  const path = `/run/netns/${name}`
  return { name, path, inode: statSync(path).ino }
}

type Netns = ReturnType<typeof makeNetns>
const a = makeNetns('a')
const b = makeNetns('b')

const execute = promisify(execFile)

/** What a shell prints that runs inside. Not synchronously: it may talk to this process. */
async function inside(netns: Netns, script: string): Promise<string> {
  const command = ['netns', 'exec', netns.name, 'bash', '-c', script]
  const { stdout } = await execute('ip', command, { timeout: 10_000 })
  return stdout
}

function makeWorker(t: TestContext, options: NetnsWorkerOptions = {}): NetnsWorker {
  const worker = new NetnsWorker(options)
  t.after(() => worker[Symbol.asyncDispose]())
  return worker
}

async function openOne(worker: NetnsWorker, request: SocketToOpen): Promise<{ fd: number; port: number }> {
  const [socket] = await worker.openSockets([request])
  assert.ok(socket !== undefined && 'fd' in socket, JSON.stringify(socket))
  return socket
}

/** With a descriptor, binding is done when the call returns. */
function bind(socket: UdpSocket, fd: number): Promise<void> {
  return new Promise(resolve => socket.bind({ fd }, resolve))
}

/** A connected UDP socket of this process that lives inside; nobody else need be in there. */
async function connectedInside(t: TestContext, worker: NetnsWorker, netns: Netns, address = '127.0.0.1') {
  const request = { netns: { path: netns.path }, protocol: 'UDP', address, port: 0 } as const
  const { fd, port } = await openOne(worker, request)
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  t.after(() => socket.close())
  await bind(socket, fd)
  socket.connect(9, address)
  await once(socket, 'connect')
  return { socket, row: await rowOf(netns, port, address) }
}

/** The row that an iterator would give, with the cookie that ss shows. */
async function rowOf(netns: Netns, port: number, address: string): Promise<SocketToDestroy> {
  const line = await inside(netns, `ss -unHea state established "sport = ${port}"`)
  const cookie = /\bsk:([0-9a-f]+)/.exec(line)?.[1]
  assert.ok(cookie !== undefined, `no socket with port ${port}: ${line}`)
  const addr = address.includes(':') ? addressOf('::1') : addressOf('::ffff:127.0.0.1')
  return {
    netns: netns.inode,
    tgid: 0,
    family: address.includes(':') ? AF_INET6 : AF_INET,
    proto: UDP,
    localAddr: addr,
    remoteAddr: addr,
    localPort: port,
    remotePort: 9,
    cookie: BigInt(`0x${cookie}`),
  }
}

function addressOf(text: '::1' | '::ffff:127.0.0.1'): Uint8Array {
  const bytes = new Uint8Array(16)
  bytes.set(text === '::1' ? [1] : [0xff, 0xff, 127, 0, 0, 1], text === '::1' ? 15 : 10)
  return bytes
}

async function errorOf(socket: UdpSocket): Promise<string | undefined> {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  return error.code
}

const openFds = () => readdirSync('/proc/self/fd').length
const counts = ({
  destroyed,
  gone,
  netnsNotFound,
  failed,
}: Awaited<ReturnType<NetnsWorker['destroySockets']>>) => ({
  ...{ destroyed, gone, netnsNotFound, failed },
})

test('a TCP listener inside answers there and not outside, for IPv4 and IPv6', async t => {
  const worker = makeWorker(t)
  for (const address of ['127.0.0.1', '::1']) {
    const { fd, port } = await openOne(worker, { netns: { path: a.path }, protocol: 'TCP', address, port: 0 })
    const server = createServer(socket => socket.end('hello\n')).listen({ fd })
    t.after(() => server.close())
    await once(server, 'listening')
    assert.equal(await inside(a, `exec 3<>/dev/tcp/${address}/${port}; cat <&3`), 'hello\n')
    const outside = connect(port, address)
    const [error] = (await once(outside, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED')
  }
})

test('a UDP socket inside answers there', async t => {
  const worker = makeWorker(t)
  const { fd, port } = await openOne(worker, {
    netns: { path: a.path },
    protocol: 'UDP',
    address: '127.0.0.1',
    port: 0,
  })
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.on('message', (message, from) => socket.send(`got ${message}`, from.port, from.address))
  await bind(socket, fd)
  const talk = `exec 3<>/dev/udp/127.0.0.1/${port}; echo -n ping >&3; head -c 8 <&3`
  assert.equal(await inside(a, talk), 'got ping')
})

test('a namespace is found by path, by process, by inode, or is the own', async t => {
  const worker = makeWorker(t)
  const sleeper = spawn('ip', ['netns', 'exec', b.name, 'sleep', '60'])
  t.after(() => sleeper.kill())
  while (readlinkSync(`/proc/${sleeper.pid}/ns/net`) !== `net:[${b.inode}]`) await sleep(5)
  const wanted = { protocol: 'TCP', address: '127.0.0.1', port: 0 } as const
  const ownInode = Number(/\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0])
  for (const [netns, inode] of [
    [{ path: b.path }, b.inode],
    [{ pid: sleeper.pid ?? 0 }, b.inode],
    [{ inode: b.inode }, b.inode],
    ['own', ownInode],
  ] as const) {
    const { fd, port } = await openOne(worker, { ...wanted, netns })
    const server = createServer().listen({ fd })
    t.after(() => server.close())
    await once(server, 'listening')
    const where = inode === b.inode ? await inside(b, `ss -tnlH "sport = ${port}"`) : hostListener(port)
    assert.match(where, new RegExp(`127\\.0\\.0\\.1:${port}`), JSON.stringify(netns))
  }
})

function hostListener(port: number): string {
  return execFileSync('ss', ['-tnlH', `sport = ${port}`], { encoding: 'utf8' })
}

test('what cannot be opened says why, the others are opened, in the order of the requests', async t => {
  const worker = makeWorker(t)
  const wanted = { netns: { path: a.path }, protocol: 'TCP', address: '127.0.0.1', port: 0 } as const
  const { fd, port } = await openOne(worker, wanted)
  const server = createServer().listen({ fd })
  t.after(() => server.close())
  await once(server, 'listening')
  const answers = await worker.openSockets([
    { ...wanted, port },
    wanted,
    { ...wanted, address: '192.0.2.1' },
    { ...wanted, netns: { path: '/run/netns/kpng-t-nowhere' } },
    { ...wanted, netns: { path: '/proc/self/status' } },
    { ...wanted, netns: { inode: 1 } },
    { ...wanted, address: 'fe80::1%lo' },
    { ...wanted, netns: { path: b.path }, port },
  ])
  for (const answer of answers) if ('fd' in answer) closeFd(t, answer)
  assert.deepEqual(
    answers.map(answer => ('fd' in answer ? 'open' : answer.error)),
    ['EADDRINUSE', 'open', 'EADDRNOTAVAIL', 'ENOENT', 'EINVAL', 'ENOENT', 'INVALID', 'open'],
  )
})

/** Hands the descriptor to a server, which closes it. */
function closeFd(t: TestContext, { fd }: Extract<OpenedSocket, { fd: number }>): void {
  const server = createServer().listen({ fd })
  t.after(() => server.close())
}

test('connected sockets are destroyed in every namespace, also where no process is', async t => {
  const worker = makeWorker(t)
  const sockets = [
    await connectedInside(t, worker, a),
    await connectedInside(t, worker, a, '::1'),
    await connectedInside(t, worker, b),
  ]
  const spared = await connectedInside(t, worker, b)
  const failures = sockets.map(({ socket }) => errorOf(socket))
  const result = await worker.destroySockets(sockets.map(({ row }) => row))
  assert.deepEqual(result, { destroyed: 3, gone: 0, netnsNotFound: 0, failed: 0, reasons: {} })
  assert.deepEqual(await Promise.all(failures), ['ECONNABORTED', 'ECONNABORTED', 'ECONNABORTED'])
  assert.equal((await rowOf(b, spared.row.localPort, '127.0.0.1')).cookie, spared.row.cookie)
})

test('a process of the hint is where a namespace is found that nobody else holds', async t => {
  const worker = makeWorker(t, { directories: [] })
  // Its own namespace, with a socket in it: no name, no other process.
  const script = 'ip link set lo up; exec 3<>/dev/udp/127.0.0.1/9; ss -unHea state established; exec sleep 60'
  const holder = spawn('unshare', ['--net', 'bash', '-c', script])
  t.after(() => holder.kill())
  const [line] = (await once(holder.stdout, 'data')) as [Buffer]
  const [, port, cookie] = /127\.0\.0\.1:(\d+) .*sk:([0-9a-f]+)/.exec(line.toString()) ?? []
  assert.ok(port !== undefined && cookie !== undefined, line.toString())
  const netns = Number(/\d+/.exec(readlinkSync(`/proc/${holder.pid}/ns/net`))?.[0])
  const address = addressOf('::ffff:127.0.0.1')
  const row: SocketToDestroy = {
    ...{ netns, tgid: holder.pid ?? 0, family: AF_INET, proto: UDP, cookie: BigInt(`0x${cookie}`) },
    ...{ localAddr: address, remoteAddr: address, localPort: Number(port), remotePort: 9 },
  }
  assert.equal((await worker.destroySockets([{ ...row, cookie: 1n }])).gone, 1)
  assert.equal((await worker.destroySockets([row])).destroyed, 1)
  assert.equal((await worker.destroySockets([row])).gone, 1)
})

test('a socket that is bound to a device is destroyed by its device, not without', async t => {
  const worker = makeWorker(t)
  const script = [
    'import socket, sys, time',
    's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
    's.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")',
    's.connect(("127.0.0.1", 9))',
    'print(s.getsockname()[1], flush=True)',
    'time.sleep(60)',
  ].join('\n')
  const holder = spawn('ip', ['netns', 'exec', b.name, 'python3', '-c', script])
  t.after(() => holder.kill())
  const [port] = (await once(holder.stdout, 'data')) as [Buffer]
  const row = await rowOf(b, Number(port.toString()), '127.0.0.1')
  assert.equal((await worker.destroySockets([row])).gone, 1)
  assert.equal((await worker.destroySockets([{ ...row, ifindex: 1 }])).destroyed, 1)
})

test('a wrong hint does not mislead, a namespace that is nowhere is counted', async t => {
  const worker = makeWorker(t)
  const { row, socket } = await connectedInside(t, worker, a)
  const failure = errorOf(socket)
  const result = await worker.destroySockets([
    { ...row, tgid: process.pid },
    { ...row, netns: 1, tgid: 2 ** 22 - 1 },
  ])
  assert.deepEqual(counts(result), { destroyed: 1, gone: 0, netnsNotFound: 1, failed: 0 })
  await failure
})

test('a bad row is counted with its reason and does not stop the others', async t => {
  const worker = makeWorker(t)
  const { row, socket } = await connectedInside(t, worker, a)
  const failure = errorOf(socket)
  const result = await worker.destroySockets([
    { ...row, localAddr: new Uint8Array(3) },
    { ...row, family: 99 },
    { ...row, cookie: row.cookie + 1n },
    row,
  ])
  assert.deepEqual(counts(result), { destroyed: 1, gone: 1, netnsNotFound: 0, failed: 2 })
  assert.equal(
    Object.values(result.reasons).reduce((sum, count) => sum + count),
    2,
  )
  await failure
})

const text4 = (bytes: Uint8Array | undefined): string | undefined => bytes?.join('.')
const text6 = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex')

test('the source addresses of a namespace are those that its sockets get', async t => {
  const worker = makeWorker(t)
  const own = makeNetns('s')
  const ip = (command: string): Buffer => execFileSync('ip', ['-n', own.name, ...command.split(' ')])
  const look = async (...destinations: string[]) => {
    const namespaces = [{ inode: own.inode, tgid: 0 }]
    const { found, failed } = await worker.sourceAddresses({ namespaces, destinations, max: 10 })
    assert.equal(failed.size, 0)
    return [text4(found[0]?.source4), text6(found[0]?.source6)]
  }
  const offLink = ['192.0.0.8', '2000::1'] as const
  assert.deepEqual(await look(...offLink), [undefined, undefined], 'no way out')
  ip('addr add 10.7.0.1/32 dev lo')
  ip('addr add 10.8.0.1/24 dev lo')
  ip('addr add fd07::1/64 dev lo nodad')
  ip('route add 192.0.2.0/24 dev lo src 10.8.0.1')
  ip('route add local 198.51.100.1/32 dev lo')
  const fd07 = `fd07${'0'.repeat(27)}1`
  assert.deepEqual(await look(...offLink, '192.0.2.1'), ['10.8.0.1', undefined], 'the first with a way')
  ip('route add default dev lo src 10.7.0.1')
  ip('-6 route add default dev lo')
  assert.deepEqual(await look(...offLink, '192.0.2.1'), ['10.7.0.1', fd07])
  assert.deepEqual(
    await look('10.7.0.1', '192.0.2.1', 'fd07::1'),
    ['10.8.0.1', undefined],
    'not the own ones',
  )
})

test('namespaces are looked for everywhere or asked for, with their cookies; what is not found is told', async t => {
  const worker = makeWorker(t)
  const destinations = ['192.0.0.8']
  const all = await worker.sourceAddresses({ destinations, max: 10_000 })
  const cookies = new Map(all.found.map(({ inode, cookie }) => [inode, cookie]))
  const own = Number(/\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0])
  for (const inode of [a.inode, b.inode, own]) assert.equal(typeof cookies.get(inode), 'bigint')
  assert.equal(new Set(cookies.values()).size, cookies.size)
  assert.equal(all.leftOut, 0)
  const namespaces = [a.inode, 1].map(inode => ({ inode, tgid: process.pid }))
  const asked = await worker.sourceAddresses({ namespaces, destinations, max: 10 })
  assert.deepEqual(
    asked.found.map(({ inode, cookie }) => [inode, cookie]),
    [[a.inode, cookies.get(a.inode)]],
  )
  assert.deepEqual(asked.notFound, [1])
  const one = await worker.sourceAddresses({ destinations, max: 1 })
  assert.deepEqual([one.found.length, one.leftOut >= 2], [1, true])
})

test('no more sockets are kept inside than allowed, and none for long', async t => {
  const worker = makeWorker(t, { maxSockets: 1, idleMs: 300 })
  const rows = [(await connectedInside(t, worker, a)).row, (await connectedInside(t, worker, b)).row]
  const unknown = rows.map(row => ({ ...row, cookie: 1n }))
  const before = openFds()
  assert.equal((await worker.destroySockets(unknown)).gone, 2)
  assert.equal(openFds(), before + 1)
  const deadline = Date.now() + 5000
  while (openFds() > before && Date.now() < deadline) await sleep(50)
  assert.equal(openFds(), before)
})

test('no thread of the process is left in another namespace, no descriptor open', async () => {
  const before = openFds()
  {
    await using worker = new NetnsWorker()
    await worker.openSockets([
      { netns: { path: '/nowhere' }, protocol: 'TCP', address: '127.0.0.1', port: 0 },
    ])
    const row = {
      netns: a.inode,
      tgid: 0,
      family: AF_INET,
      proto: UDP,
      cookie: 1n,
      localPort: 1,
      remotePort: 2,
    }
    const address = addressOf('::ffff:127.0.0.1')
    assert.equal((await worker.destroySockets([{ ...row, localAddr: address, remoteAddr: address }])).gone, 1)
    const namespaces = readdirSync('/proc/self/task').map(id => readlinkSync(`/proc/self/task/${id}/ns/net`))
    assert.deepEqual(new Set(namespaces), new Set([readlinkSync('/proc/self/ns/net')]))
  }
  assert.equal(openFds(), before)
})

test('after it is closed, requests are rejected', async () => {
  const worker = new NetnsWorker()
  await worker[Symbol.asyncDispose]()
  await worker[Symbol.asyncDispose]()
  await assert.rejects(
    worker.destroySockets([]),
    error => error instanceof EbpfError && error.code === 'CLOSED',
  )
})

test('a thread that cannot come back ends, its requests are rejected, the next one starts anew', async t => {
  const worker = new NetnsWorker({}, new URL('./testing/lost-thread.ts', import.meta.url))
  t.after(() => worker[Symbol.asyncDispose]())
  const wanted = { netns: { path: a.path }, protocol: 'TCP', address: '127.0.0.1', port: 0 } as const
  for (let round = 0; round < 2; round++) {
    await assert.rejects(
      worker.openSockets([wanted]),
      error =>
        error instanceof EbpfError && error.code === 'GONE' && /could not come back/.test(error.message),
    )
  }
})
