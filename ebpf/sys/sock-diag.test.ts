import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../error.ts'
import { AF_INET, AF_INET6, decodeSocket, encodeRequest, inetDiagMsg, inetDiagReqV2 } from './sock-diag.ts'

const socket = {
  family: AF_INET,
  proto: 17,
  localAddr: Uint8Array.of(10, 0, 0, 1),
  remoteAddr: Uint8Array.of(10, 0, 0, 2),
  localPort: 1234,
  remotePort: 53,
  ifindex: 3,
  cookie: 0x1_0000_0002n,
}

/** The answer that the kernel would give about the socket of a request. */
function answerTo(request: Uint8Array): DataView {
  const bytes = new Uint8Array(inetDiagMsg.size)
  bytes[inetDiagMsg.idiag_family] = request[inetDiagReqV2.sdiag_family] ?? 0
  bytes[inetDiagMsg.idiag_state] = 1
  bytes.set(request.subarray(inetDiagReqV2.id), inetDiagMsg.id)
  return new DataView(bytes.buffer)
}

test('what tells a socket from others survives the way to the kernel and back', () => {
  const v6 = {
    family: AF_INET6,
    localAddr: new Uint8Array(16).fill(1),
    remoteAddr: new Uint8Array(16).fill(2),
  }
  for (const wanted of [socket, { ...socket, ...v6 }]) {
    const found = decodeSocket(answerTo(encodeRequest(wanted)), wanted.proto)
    assert.deepEqual(found, { ...wanted, state: 1, uid: 0, inode: 0 })
  }
})

test('ports and addresses are in network byte order', () => {
  const request = encodeRequest(socket)
  assert.deepEqual([...request.subarray(8, 12)], [1234 >> 8, 1234 & 0xff, 0, 53])
  assert.deepEqual([...request.subarray(12, 16)], [10, 0, 0, 1])
})

test('an address that is not of the family is refused before the kernel is asked', () => {
  const refuses = (change: Partial<typeof socket>) =>
    assert.throws(
      () => encodeRequest({ ...socket, ...change }),
      error => error instanceof EbpfError && error.code === 'INVALID',
    )
  refuses({ localAddr: new Uint8Array(16) })
  refuses({ family: AF_INET6 })
  refuses({ family: 1 })
})

test('an answer that is cut off is refused', () => {
  const answer = answerTo(encodeRequest(socket))
  assert.throws(
    () => decodeSocket(new DataView(answer.buffer, 0, inetDiagMsg.size - 1), 17),
    error => error instanceof EbpfError && error.code === 'MALFORMED',
  )
})
