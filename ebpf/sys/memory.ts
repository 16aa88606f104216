import koffi from 'koffi'
import { errnoError } from './errno.ts'
import { syscall } from './syscall.ts'

/** Where the bytes are. Valid as long as the array is reachable: array buffers do not move. */
export const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes))

/** A NUL-terminated string for the kernel. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)

/** Bytes up to the first NUL as text. */
export const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Bytes at an address that another library owns: shared, and valid for as long as it keeps them. */
export const bytesAt = (address: number | bigint, length: number): Uint8Array =>
  new Uint8Array(koffi.view(address, length))

/** Memory shared with the kernel. After dispose `buffer` must not be touched: the pages are gone. */
export interface Mapping extends Disposable {
  readonly buffer: ArrayBuffer
}

const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000

const map = (
  what: string,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): Mapping & { readonly address: number } => {
  const address = syscall('mmap', 0, length, protection, flags, fd, offset)
  if (address < 0) throw errnoError(-address, `mmap of ${what}, ${length} bytes`)
  let open = true
  return {
    address,
    buffer: koffi.view(address, length),
    [Symbol.dispose]() {
      if (open) syscall('munmap', address, length)
      open = false
    },
  }
}

/** mmap(2) of a descriptor, shared. `length` and `offset` in bytes, multiples of the page size. */
export const mapFd = (
  what: string,
  fd: number,
  length: number,
  options: { readonly writable: boolean; readonly offset?: number },
): Mapping =>
  map(
    what,
    length,
    options.writable ? PROT_READ | PROT_WRITE : PROT_READ,
    MAP_SHARED,
    fd,
    options.offset ?? 0,
  )

/** Zeroed memory that costs nothing until it is touched. */
export const reserveMemory = (length: number): Mapping & { readonly address: number } =>
  map('memory', length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)

const getpagesize = koffi.load(null).func('int getpagesize()')

/** In bytes: 4 KiB on amd64; 4, 16 or 64 on arm64. */
export const pageSize = (): number => getpagesize()
