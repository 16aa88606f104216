import { Command } from './bpf-enum.ts'
import { objectInfoAttr } from './bpf-layout.ts'
import { errnoError } from './errno.ts'
import type { Layout } from './struct.ts'
import { Struct } from './struct.ts'
import { syscall } from './syscall.ts'

/** bpf(2). Gives what the kernel gave, or -errno. `attr` holds the result fields afterwards. */
export const bpf = <N extends string>(command: Command, attr: Struct<N>): number =>
  syscall('bpf', command, attr.bytes, attr.bytes.length)

/** BPF_OBJ_GET_INFO_BY_FD into a struct of the given layout; fields that the kernel does not know stay 0. */
export const objectInfo = <N extends string>(
  fd: number,
  layout: Layout<N>,
  what: string,
  fill: (info: Struct<N>) => void = () => {},
): Struct<N> => {
  const info = new Struct(layout)
  fill(info)
  const attr = new Struct(objectInfoAttr, { bpf_fd: fd, info_len: layout.size, info: info.bytes })
  const result = bpf(Command.OBJ_GET_INFO_BY_FD, attr)
  if (result < 0) throw errnoError(-result, `reading the info of ${what}`)
  return info
}
