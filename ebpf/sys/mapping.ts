import koffi from 'koffi'
import { errnoError } from './errno.ts'
import type { Fd } from './fd.ts'
import { bytesAt } from './memory.ts'
import { syscall } from './syscall.ts'

const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000

/** Pages in this process, gone after dispose. */
export class Mapping implements Disposable {
  readonly address: number
  readonly length: number
  #open = true

  private constructor(address: number, length: number) {
    this.address = address
    this.length = length
  }

  /** Of a descriptor, shared with the kernel. Length and offset in bytes; the offset is a multiple of the page. */
  static ofFd(
    fd: Fd,
    length: number,
    options: { readonly writable: boolean; readonly offset?: number },
  ): Mapping {
    const protection = options.writable ? PROT_READ | PROT_WRITE : PROT_READ
    const address = syscall('mmap', 0, length, protection, MAP_SHARED, fd.number, options.offset ?? 0)
    if (address < 0) throw errnoError(-address, `mapping ${fd.what} into memory, ${length} bytes`)
    return new Mapping(address, length)
  }

  /** Zeroed, and costs nothing until it is touched. */
  static reserve(length: number): Mapping {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    const address = syscall('mmap', 0, length, PROT_READ | PROT_WRITE, flags, -1, 0)
    if (address < 0) throw errnoError(-address, `reserving ${length} bytes of memory`)
    return new Mapping(address, length)
  }

  /** The pages, or some of them. Must not be touched after dispose: that would be a crash. */
  view(offset = 0, length = this.length - offset): Uint8Array<ArrayBuffer> {
    return bytesAt(this.address + offset, length)
  }

  [Symbol.dispose](): void {
    if (this.#open) syscall('munmap', this.address, this.length)
    this.#open = false
  }
}

const getpagesize = koffi.load(null).func('int getpagesize()')

/** In bytes: 4 KiB on amd64; 4, 16 or 64 on arm64. */
export const pageSize = (): number => getpagesize()
