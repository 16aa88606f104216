import type { BpfMap } from '../bpf-map.ts'
import { EbpfError } from '../error.ts'
import { probe } from '../features.ts'
import type { Codec } from '../map.ts'
import type { Program } from '../program.ts'
import { bpf } from '../sys/bpf.ts'
import { AttachType, Command } from '../sys/bpf-enum.ts'
import { iterCreateAttr, iterLinkInfoMap, linkCreateAttr } from '../sys/bpf-layout.ts'
import { errnoError } from '../sys/errno.ts'
import { Fd } from '../sys/fd.ts'
import { readInto } from '../sys/file.ts'
import { Struct } from '../sys/struct.ts'
import { Link } from './link.ts'

export interface IterLinkOptions {
  readonly program: Program
  /** What it walks, for programs `iter/bpf_map_elem` and `iter/bpf_sk_storage_map`. */
  readonly map?: BpfMap
}

/** Makes an iterator of a program; nothing runs until its rows are read. Throws INVALID, UNSUPPORTED. */
export const attachIter = ({ program, map }: IterLinkOptions): Link => {
  const name = map === undefined ? program.name : `${program.name} to map ${map.name}`
  const info = map === undefined ? undefined : new Struct(iterLinkInfoMap, { map_fd: map.fd.number }).bytes
  const attr = new Struct(linkCreateAttr, {
    prog_fd: program.fd.number,
    attach_type: AttachType.TRACE_ITER,
    ...(info === undefined ? {} : { iter_info: info, iter_info_len: info.length }),
  })
  const result = bpf(Command.LINK_CREATE, attr)
  if (result >= 0) return new Link(new Fd(result, `link of ${name}`))
  const hint =
    probe('iter') === 'no' ? ({ code: 'UNSUPPORTED', hint: 'BPF iterators need kernel 5.8' } as const) : {}
  throw errnoError(-result, `attaching ${name}`, hint)
}

/** Bytes asked for at once; the kernel gives whole pages at most. */
const READ_BYTES = 64 * 1024

/**
 * One pass of an iterator, as rows that the program wrote with bpf_seq_write. Rows are read as they are asked
 * for. Throws MALFORMED when the last row is not whole.
 */
export const readIter = function* <T>(link: Link, row: Codec<T>): Generator<T, void, void> {
  const attr = new Struct(iterCreateAttr, { link_fd: link.fd.number })
  const what = `rows of ${link.fd.what}`
  using fd = Fd.from(bpf(Command.ITER_CREATE, attr), what, `opening ${what}`)
  const buffer = new Uint8Array(Math.max(READ_BYTES, row.size))
  const view = new DataView(buffer.buffer)
  let kept = 0
  for (;;) {
    const count = readInto(fd, buffer.subarray(kept))
    if (count === 0) break
    const end = kept + count
    let at = 0
    for (; at + row.size <= end; at += row.size) yield row.decode(view, at)
    // A read may end inside a row.
    buffer.copyWithin(0, at, end)
    kept = end - at
  }
  if (kept > 0) throw new EbpfError('MALFORMED', `${what}: ${kept} bytes are left, rows have ${row.size}`)
}
