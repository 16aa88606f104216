import { bpf } from './sys/bpf.ts'
import { Command } from './sys/bpf-enum.ts'
import { btfLoadAttr } from './sys/bpf-layout.ts'
import { Fd } from './sys/fd.ts'
import { Struct } from './sys/struct.ts'

const KIND_INT = 1
const KIND_ARRAY = 3
const INT_SIGNED = 1

/** BTF of `int` (type 1), `unsigned char` (type 2) and `unsigned char[size]` (type 3). */
const storageBtf = (size: number): Uint8Array => {
  const strings = new TextEncoder().encode('\0int\0unsigned char\0')
  const int = (name: number, bytes: number, encoding: number): number[] => [
    name,
    KIND_INT << 24,
    bytes,
    (encoding << 24) | (bytes * 8),
  ]
  const types = [
    ...int(1, 4, INT_SIGNED),
    ...int(5, 1, 0),
    ...[0, KIND_ARRAY << 24, 0, /* element */ 2, /* index */ 1, /* length */ size],
  ]
  const header = 24
  const bytes = new Uint8Array(header + types.length * 4 + strings.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0xeb9f, true)
  view.setUint8(2, 1) // version
  view.setUint32(4, header, true)
  view.setUint32(12, types.length * 4, true) // types: offset 0 (at 8), length
  view.setUint32(16, types.length * 4, true) // strings: offset
  view.setUint32(20, strings.length, true)
  for (const [index, word] of types.entries()) view.setUint32(header + index * 4, word, true)
  bytes.set(strings, header + types.length * 4)
  return bytes
}

export interface StorageBtf extends Disposable {
  readonly fd: Fd
  readonly keyTypeId: number
  readonly valueTypeId: number
}

/** The least BTF that the kernel accepts for a socket storage map: an int key, a value of plain bytes. */
export const loadStorageBtf = (valueSize: number): StorageBtf => {
  const btf = storageBtf(valueSize)
  const attr = new Struct(btfLoadAttr, { btf, btf_size: btf.length })
  const fd = Fd.from(bpf(Command.BTF_LOAD, attr), 'BTF', 'loading the BTF of a socket storage map')
  return { fd, keyTypeId: 1, valueTypeId: 3, [Symbol.dispose]: () => fd[Symbol.dispose]() }
}
