import assert from 'node:assert/strict'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Btf } from '../btf/btf.ts'
import { btfInfo } from './btf.ts'
import { netlinkError, netlinkHeader } from './netlink.ts'
import {
  AF_INET,
  AF_INET6,
  inetDiagMsg,
  inetDiagReqV2,
  inetDiagSockid,
  SockDiag,
  type SocketTuple,
} from './sock-diag.ts'

const TCP = 6
const UDP = 17
const ENOENT = 2

/** The one socket with these ports. */
function find(
  diag: SockDiag,
  family: number,
  proto: number,
  localPort: number,
  remotePort: number,
): SocketTuple {
  const found = diag
    .list(family, proto)
    .filter(socket => socket.localPort === localPort && socket.remotePort === remotePort)
  assert.equal(found.length, 1, `sockets ${localPort} -> ${remotePort}`)
  return found[0] as SocketTuple
}

async function connectedUdp(
  type: 'udp4' | 'udp6',
  address: string,
): Promise<{ client: UdpSocket; port: number }> {
  const client = createSocket(type)
  client.connect(9, address)
  await once(client, 'connect')
  return { client, port: client.address().port }
}

test('a connected UDP socket is listed, destroyed, and its owner told', async t => {
  using diag = new SockDiag()
  const { client, port } = await connectedUdp('udp4', '127.0.0.1')
  t.after(() => client.close())
  const socket = find(diag, AF_INET, UDP, port, 9)
  assert.deepEqual(socket.remoteAddr, Uint8Array.of(127, 0, 0, 1))
  assert.notEqual(socket.cookie, 0n)
  const failed = once(client, 'error')
  assert.equal(diag.destroy(socket), 0)
  assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ECONNABORTED')
})

test('a socket is left alone by another cookie, other ports and another family', async t => {
  using diag = new SockDiag()
  const { client, port } = await connectedUdp('udp4', '127.0.0.1')
  t.after(() => client.close())
  const socket = find(diag, AF_INET, UDP, port, 9)
  assert.equal(diag.destroy({ ...socket, cookie: socket.cookie + 1n }), -ENOENT)
  assert.equal(diag.destroy({ ...socket, remotePort: 10 }), -ENOENT)
  const none = new Uint8Array(16)
  assert.equal(diag.destroy({ ...socket, family: AF_INET6, localAddr: none, remoteAddr: none }), -ENOENT)
  assert.deepEqual(find(diag, AF_INET, UDP, port, 9), socket)
})

test('IPv6 sockets, also those connected to an IPv4 address, are destroyed', async t => {
  using diag = new SockDiag()
  for (const address of ['::1', '::ffff:127.0.0.1']) {
    const { client, port } = await connectedUdp('udp6', address)
    t.after(() => client.close())
    const failed = once(client, 'error')
    assert.equal(diag.destroy(find(diag, AF_INET6, UDP, port, 9)), 0, address)
    assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ECONNABORTED')
  }
})

test('a TCP connection is destroyed: ECONNABORTED here, a reset there', async t => {
  using diag = new SockDiag()
  const server = createServer()
  t.after(() => server.close())
  const accepted = once(server, 'connection')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  const peer = (await accepted)[0] as Socket
  peer.on('error', () => undefined).resume()
  await once(client, 'connect')
  const failed = once(client, 'error')
  const ended = new Promise(resolve => peer.once('close', resolve))
  assert.equal(diag.destroy(find(diag, AF_INET, TCP, client.localPort ?? 0, port)), 0)
  assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ECONNABORTED')
  await ended
})

test("layouts written by hand are the running kernel's", () => {
  const kernel = Btf.parse(readFileSync('/sys/kernel/btf/vmlinux'), 'vmlinux')
  const layouts: Record<string, Readonly<Record<string, number>>> = {
    inet_diag_sockid: inetDiagSockid,
    inet_diag_req_v2: inetDiagReqV2,
    inet_diag_msg: inetDiagMsg,
    nlmsghdr: netlinkHeader,
    nlmsgerr: netlinkError,
    bpf_btf_info: {
      size: btfInfo.size,
      ...Object.fromEntries(Object.entries(btfInfo.fields).map(([name, [offset]]) => [name, offset])),
    },
  }
  let compared = 0
  for (const [name, { size, ...offsets }] of Object.entries(layouts)) {
    const id = kernel.find('struct', name)
    // inet_diag may be a module with BTF of its own.
    if (id === undefined) continue
    const type = kernel.type(id)
    assert.ok(type.kind === 'struct')
    assert.equal(size, type.size, `sizeof struct ${name}`)
    for (const [field, offset] of Object.entries(offsets)) {
      const bits: number | undefined = type.members.find(member => member.name === field)?.bitOffset
      assert.equal(offset * 8, bits, `struct ${name}, ${field}`)
    }
    compared++
  }
  assert.ok(compared >= 3, `${compared} layouts compared`)
})
