import { EbpfError } from '../error.ts'
import { bpf, objectInfo } from './bpf.ts'
import { Command } from './bpf-enum.ts'
import { getIdAttr } from './bpf-layout.ts'
import { Fd } from './fd.ts'
import { type Layout, Struct } from './struct.ts'

/** struct bpf_btf_info */
export const btfInfo: Layout<'btf' | 'btf_size' | 'id'> = {
  size: 32,
  fields: { btf: [0, 8], btf_size: [8, 4], id: [12, 4] },
}

/** Far more than any kernel's own (6 MB). */
const MAX_BYTES = 256 << 20

/** The raw bytes of a BTF object in the kernel. Throws NOT_FOUND, also for id 0: what was made without BTF. */
export const readBtf = (id: number): Uint8Array => {
  if (id === 0) throw new EbpfError('NOT_FOUND', 'was made without BTF')
  const what = `BTF ${id}`
  const attr = new Struct(getIdAttr, { start_id: id })
  using fd = Fd.from(bpf(Command.BTF_GET_FD_BY_ID, attr), what, `opening ${what}`)
  const size = objectInfo(fd.number, btfInfo, what).u32('btf_size')
  if (size > MAX_BYTES) throw new EbpfError('MALFORMED', `${what} claims to have ${size} bytes`)
  const bytes = new Uint8Array(size)
  // A BTF object never changes, so the size is still right.
  objectInfo(fd.number, btfInfo, what, info => {
    info.set('btf', bytes)
    info.set('btf_size', size)
  })
  return bytes
}
