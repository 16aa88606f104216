import { constants } from 'node:os'
import { EbpfError, type EbpfErrorCode, type EbpfErrorOptions } from '../error.ts'

/** Names where several share a number: the one that the kernel's documentation uses. */
const preferred = ['EAGAIN', 'EOPNOTSUPP', 'EDEADLK']

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]))
for (const name of preferred) {
  const number = Object.entries(constants.errno).find(([key]) => key === name)?.[1]
  if (number !== undefined) names.set(number, name)
}
// linux/errno.h: inside the kernel only, but bpf(2) lets them out.
names.set(524, 'ENOTSUPP')
// asm-generic/errno.h; libuv does not list them.
for (const [name, number] of [
  ['ENOLINK', 67],
  ['EBADFD', 77],
  ['EUCLEAN', 117],
  ['EREMOTE', 66],
] as const) {
  names.set(number, name)
}

/** `EINVAL` for 22; `errno 999` for what has no name. */
export const errnoName = (errno: number): string => names.get(errno) ?? `errno ${errno}`

const codes: Readonly<Record<string, EbpfErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  E2BIG: 'MAP_FULL',
  ENOMEM: 'NO_MEMORY',
  EPERM: 'PERMISSION',
  EACCES: 'PERMISSION',
  ENOTSUPP: 'UNSUPPORTED',
  EOPNOTSUPP: 'UNSUPPORTED',
  ENOSYS: 'UNSUPPORTED',
  EINVAL: 'INVALID',
  EBADF: 'INVALID',
  EBUSY: 'BUSY',
  ENOLINK: 'GONE',
}

/** An EbpfError for the errno of a failed system call: `<what>: EINVAL`. */
export const errnoError = (
  errno: number,
  what: string,
  options: Omit<EbpfErrorOptions, 'errno'> & { readonly code?: EbpfErrorCode; readonly hint?: string } = {},
): EbpfError => {
  const { code, hint, ...rest } = options
  const name = errnoName(errno)
  const tail = hint === undefined ? '' : ` (${hint})`
  return new EbpfError(code ?? codes[name] ?? 'KERNEL', `${what}: ${name}${tail}`, { ...rest, errno: name })
}

// Those that code decides by.
export const { ENOENT, EINVAL, ENOSPC } = constants.errno
export const ENOTSUPP = 524
