import { mkdirSync, readlinkSync, statfsSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { EbpfError } from './error.ts'
import { bpf } from './sys/bpf.ts'
import { Command } from './sys/bpf-enum.ts'
import { objectPinAttr } from './sys/bpf-layout.ts'
import { errnoError } from './sys/errno.ts'
import { Fd } from './sys/fd.ts'
import { cString } from './sys/memory.ts'
import { mountBpffs } from './sys/mount.ts'
import { Struct } from './sys/struct.ts'

const BPF_FS_MAGIC = 0xcafe4a11
const BPF_F_RDONLY = 1 << 3

/** Whether a path lies on a bpf file system, where pins can be made. */
export const onBpffs = (path: string): boolean => statfsSync(path).type === BPF_FS_MAGIC

/** Mounts a bpf file system at a directory (0700) unless it is on one. Throws PERMISSION. */
export const ensureBpffs = (directory = '/sys/fs/bpf'): void => {
  if (onBpffs(directory)) return
  const result = mountBpffs(directory)
  if (result < 0) {
    throw errnoError(-result, `mounting a bpf file system at ${directory}`, {
      hint: 'this takes CAP_SYS_ADMIN; or mount it beforehand: mount -t bpf bpf /sys/fs/bpf',
    })
  }
}

/** Pins what a descriptor refers to; makes missing directories (0700). Throws EXISTS, INVALID. */
export const pinObject = (fd: Fd, path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!onBpffs(dirname(path))) {
    throw new EbpfError('INVALID', `cannot pin ${fd.what} at ${path}: not on a bpf file system`)
  }
  const attr = new Struct(objectPinAttr, { pathname: cString(path), bpf_fd: fd.number })
  const result = bpf(Command.OBJ_PIN, attr)
  if (result < 0) throw errnoError(-result, `pinning ${fd.what} at ${path}`)
}

export type PinnedKind = 'map' | 'program' | 'link'

/** What the kernel calls its descriptors. */
const kinds: Readonly<Record<PinnedKind, RegExp>> = {
  map: /bpf-map/,
  program: /bpf-prog/,
  link: /bpf[-_]link/,
}

/** Opens what is pinned at a path. Throws NOT_FOUND; LAYOUT when it is something else. */
export const openPinned = (
  path: string,
  kind: PinnedKind,
  options: { readonly readOnly?: boolean } = {},
): Fd => {
  const attr = new Struct(objectPinAttr, {
    pathname: cString(path),
    file_flags: options.readOnly ? BPF_F_RDONLY : 0,
  })
  using opened = new DisposableStack()
  const fd = opened.use(Fd.from(bpf(Command.OBJ_GET, attr), path, `opening the pin ${path}`))
  // Asking for its info would not do: the kernel answers with that of whatever it is.
  const found = readlinkSync(`/proc/self/fd/${fd.number}`)
  if (kinds[kind].test(found)) {
    opened.move()
    return fd
  }
  throw new EbpfError('LAYOUT', `${path} is no pinned ${kind}, but ${found}`)
}

/** Removes a pin; what it referred to lives on while anything else holds it. False when there was none. */
export const unpin = (path: string): boolean => {
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new EbpfError('PERMISSION', `removing the pin ${path}`, { cause: error })
  }
}
