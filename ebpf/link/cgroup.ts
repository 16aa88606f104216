import { statfsSync, statSync } from 'node:fs'
import { EbpfError } from '../error.ts'
import { probe } from '../features.ts'
import type { Program } from '../program.ts'
import { bpf } from '../sys/bpf.ts'
import { AttachType, Command, enumName } from '../sys/bpf-enum.ts'
import { linkCreateAttr, progQueryAttr } from '../sys/bpf-layout.ts'
import { ENOSPC, errnoError } from '../sys/errno.ts'
import { Fd } from '../sys/fd.ts'
import { openRead } from '../sys/file.ts'
import { Struct } from '../sys/struct.ts'
import { Link } from './link.ts'

const CGROUP2_MAGIC = 0x63677270

export interface CgroupLinkOptions {
  readonly program: Program
  /** Directory on a cgroup2 file system. */
  readonly cgroup: string
  readonly attachType: AttachType
}

const openCgroup = (path: string): Fd => {
  using opened = new DisposableStack()
  const directory = opened.use(openRead(path))
  if (statfsSync(path).type === CGROUP2_MAGIC) {
    opened.move()
    return directory
  }
  throw new EbpfError('INVALID', `${path} is not on a cgroup2 file system`)
}

const attachName = (type: AttachType): string => enumName(AttachType, type, 'attach type')

/**
 * Attaches a program to a cgroup: it runs for its processes and for those of the cgroups below, beside the
 * programs of others. Throws NOT_FOUND, INVALID, PERMISSION, UNSUPPORTED.
 */
export const attachCgroup = ({ program, cgroup, attachType }: CgroupLinkOptions): Link => {
  const name = `${program.name} to ${cgroup} (${attachName(attachType)})`
  using directory = openCgroup(cgroup)
  const attr = new Struct(linkCreateAttr, {
    prog_fd: program.fd.number,
    target_fd: directory.number,
    attach_type: attachType,
  })
  const result = bpf(Command.LINK_CREATE, attr)
  if (result >= 0) return new Link(new Fd(result, `link of ${name}`))
  if (probe('cgroup_link') === 'no') {
    throw errnoError(-result, `attaching ${name}`, {
      code: 'UNSUPPORTED',
      hint: 'bpf links to cgroups need kernel 5.7',
    })
  }
  throw errnoError(-result, `attaching ${name}`)
}

/** BPF_PROG_QUERY: which programs are attached to a cgroup, in the order in which they run. */
export interface CgroupQuery {
  readonly programIds: readonly number[]
  /** BPF_F_ALLOW_*; 0 for an effective query. */
  readonly attachFlags: number
}

const BPF_F_QUERY_EFFECTIVE = 1

/** `effective`: those of the cgroups above too, as they really run. Throws NOT_FOUND, INVALID. */
export const queryCgroup = (
  cgroup: string,
  attachType: AttachType,
  options: { readonly effective?: boolean } = {},
): CgroupQuery => {
  using directory = openCgroup(cgroup)
  for (let room = 64; ; room *= 4) {
    const ids = new Uint8Array(room * 4)
    const attr = new Struct(progQueryAttr, {
      target_fd: directory.number,
      attach_type: attachType,
      query_flags: options.effective ? BPF_F_QUERY_EFFECTIVE : 0,
      prog_ids: ids,
      prog_cnt: room,
    })
    const result = bpf(Command.PROG_QUERY, attr)
    if (result === -ENOSPC && room < 1 << 16) continue
    if (result < 0)
      throw errnoError(-result, `asking for the programs of ${cgroup} (${attachName(attachType)})`)
    const view = new DataView(ids.buffer)
    const count = attr.u32('prog_cnt')
    return {
      programIds: Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true)),
      attachFlags: attr.u32('attach_flags'),
    }
  }
}

/** What a link's `cgroupId` is for this directory. Throws NOT_FOUND. */
export const cgroupId = (cgroup: string): bigint => {
  const stat = statSync(cgroup, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) throw new EbpfError('NOT_FOUND', `${cgroup} does not exist`)
  return stat.ino
}
