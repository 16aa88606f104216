import { endianness } from 'node:os'
import { EbpfError } from '../error.ts'

const numbers = {
  x64: {
    read: 0,
    close: 3,
    mmap: 9,
    munmap: 11,
    rt_sigprocmask: 14,
    ioctl: 16,
    socket: 41,
    connect: 42,
    sendto: 44,
    recvfrom: 45,
    bind: 49,
    listen: 50,
    getsockname: 51,
    setsockopt: 54,
    getsockopt: 55,
    fcntl: 72,
    flock: 73,
    mount: 165,
    umount2: 166,
    openat: 257,
    unshare: 272,
    prlimit64: 302,
    setns: 308,
    bpf: 321,
    membarrier: 324,
  },
  arm64: {
    read: 63,
    close: 57,
    mmap: 222,
    munmap: 215,
    rt_sigprocmask: 135,
    ioctl: 29,
    socket: 198,
    connect: 203,
    sendto: 206,
    recvfrom: 207,
    bind: 200,
    listen: 201,
    getsockname: 204,
    setsockopt: 208,
    getsockopt: 209,
    fcntl: 25,
    flock: 32,
    mount: 40,
    umount2: 39,
    openat: 56,
    unshare: 97,
    prlimit64: 261,
    setns: 268,
    bpf: 280,
    membarrier: 283,
  },
} as const

export type SyscallName = keyof typeof numbers.x64

/** The system call numbers of a machine. Throws UNSUPPORTED for machines that this package does not know. */
export const syscallNumbers = (
  machine: string = process.arch,
  order: string = endianness(),
): Readonly<Record<SyscallName, number>> => {
  if (order !== 'LE') {
    throw new EbpfError(
      'UNSUPPORTED',
      `this machine is big-endian (${machine}): only little-endian amd64 and arm64 are supported`,
    )
  }
  if (machine !== 'x64' && machine !== 'arm64') {
    throw new EbpfError(
      'UNSUPPORTED',
      `no system call numbers for ${machine}: only amd64 and arm64 are supported`,
    )
  }
  return numbers[machine]
}
