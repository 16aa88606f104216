import { openPinned, pinObject } from '../pin.ts'
import type { Program } from '../program.ts'
import { bpf, objectInfo } from '../sys/bpf.ts'
import { type AttachType, Command, LinkType } from '../sys/bpf-enum.ts'
import {
  getIdAttr,
  iterCreateAttr,
  LINK_INFO_UNION,
  linkInfo,
  linkInfoCgroup,
  linkInfoIter,
  linkUpdateAttr,
} from '../sys/bpf-layout.ts'
import { errnoError } from '../sys/errno.ts'
import { Fd } from '../sys/fd.ts'
import { Struct } from '../sys/struct.ts'

/** What the kernel says about a link, by kind. */
export type LinkInfo =
  | {
      readonly kind: 'cgroup'
      readonly id: number
      readonly programId: number
      /** Inode of the cgroup's directory; 0n when the cgroup is gone, which shows late: see the README. */
      readonly cgroupId: bigint
      readonly attachType: AttachType
    }
  | {
      readonly kind: 'iter'
      readonly id: number
      readonly programId: number
      /** 0 for an iterator that is not over a map. */
      readonly mapId: number
    }
  | { readonly kind: 'other'; readonly id: number; readonly programId: number; readonly type: number }

const BPF_F_REPLACE = 1 << 2

export interface UpdateOptions {
  /** Only if this program is the attached one; else PERMISSION, and nothing changes. */
  readonly expected?: Program
}

/** A program attached to something. Detached when the last descriptor and pin of the link is gone. */
export class Link implements Disposable {
  readonly fd: Fd

  /** Takes over the descriptor. */
  constructor(fd: Fd) {
    this.fd = fd
  }

  info(): LinkInfo {
    const info = objectInfo(this.fd.number, linkInfo, this.fd.what)
    const common = { id: info.u32('id'), programId: info.u32('prog_id') }
    const rest = info.bytes.subarray(LINK_INFO_UNION)
    switch (info.u32('type')) {
      case LinkType.CGROUP: {
        const cgroup = Struct.of(linkInfoCgroup, rest)
        const attachType = cgroup.u32('attach_type') as AttachType
        return { kind: 'cgroup', ...common, cgroupId: cgroup.u64('cgroup_id'), attachType }
      }
      case LinkType.ITER:
        return { kind: 'iter', ...common, mapId: Struct.of(linkInfoIter, rest).u32('map.map_id') }
      default:
        return { kind: 'other', ...common, type: info.u32('type') }
    }
  }

  /**
   * Replaces the program at once: each event is seen by the old one or the new. Throws GONE when what it was
   * attached to is gone, INVALID for a program of another type, PERMISSION by the guard.
   */
  update(program: Program, options: UpdateOptions = {}): void {
    const attr = new Struct(linkUpdateAttr, {
      link_fd: this.fd.number,
      new_prog_fd: program.fd.number,
      ...(options.expected ? { flags: BPF_F_REPLACE, old_prog_fd: options.expected.fd.number } : {}),
    })
    const result = bpf(Command.LINK_UPDATE, attr)
    if (result >= 0) return
    const what = `replacing the program of ${this.fd.what} by ${program.name}`
    const guarded = options.expected !== undefined && result === -1
    throw errnoError(
      -result,
      what,
      guarded ? { hint: `${options.expected.name} is not the attached one` } : {},
    )
  }

  /** Detaches now, whoever else holds the link. Throws UNSUPPORTED for kinds that cannot (iterators). */
  detach(): void {
    const attr = new Struct(iterCreateAttr, { link_fd: this.fd.number })
    const result = bpf(Command.LINK_DETACH, attr)
    if (result < 0) throw errnoError(-result, `detaching ${this.fd.what}`)
  }

  /** Stays attached when this process ends. Throws EXISTS when something is there. */
  pin(path: string): void {
    pinObject(this.fd, path)
  }

  [Symbol.dispose](): void {
    this.fd[Symbol.dispose]()
  }
}

/** Opens a pinned link. Throws NOT_FOUND; LAYOUT when something else is pinned there. */
export const openPinnedLink = (path: string): Link => new Link(openPinned(path, 'link'))

/** Throws NOT_FOUND. */
export const openLinkById = (id: number): Link => {
  const attr = new Struct(getIdAttr, { start_id: id })
  return new Link(Fd.from(bpf(Command.LINK_GET_FD_BY_ID, attr), `link ${id}`, `opening link ${id}`))
}
