/** Files as they are on disk: told apart without reading, read whole or not at all. */
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

/** What tells one state of a file from another, as far as the file system can say. */
export interface Signature {
  readonly text: string
  /** In bytes. */
  readonly size: number
  /** Last written so recently that another write could leave the same signature. */
  readonly racy: boolean
}

export type Content =
  | { readonly outcome: 'text'; readonly text: string; readonly hash: string; readonly signature: Signature }
  | { readonly outcome: 'gone' }
  /** Changed while being read, every time. */
  | { readonly outcome: 'unstable' }
  | { readonly outcome: 'unreadable'; readonly message: string; readonly signature: Signature | undefined }

/** Coarser than any file system's clock: kernel ticks are 4 ms, but some file systems count seconds. */
const RACY_MS = 2_100

/** undefined when there is no such file (or no way to it). */
export function signatureOf(path: string): Signature | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : toSignature(stats)
}

/**
 * The whole content. Synchronous: a directory of 20,000 small files is read in a second that way, in many that
 * by promises. Never throws for what the file system says.
 */
export function readContent(path: string, maxBytes: number): Content {
  let signature: Signature | undefined
  try {
    const fd = openSync(path, 'r')
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        const before = fstatSync(fd, { bigint: true })
        signature = toSignature(before)
        if (!before.isFile()) return { outcome: 'unreadable', message: 'is not a file', signature }
        if (before.size > maxBytes) {
          return { outcome: 'unreadable', message: `is larger than ${maxBytes} bytes`, signature }
        }
        const bytes = readAll(fd, Number(before.size))
        const after = fstatSync(fd, { bigint: true })
        if (bytes === undefined || toSignature(after).text !== signature.text) continue
        if (!isUtf8(bytes)) return { outcome: 'unreadable', message: 'is not UTF-8 text', signature }
        const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
        return { outcome: 'text', text, hash: hash('sha1', bytes), signature }
      }
      return { outcome: 'unstable' }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { outcome: 'gone' }
    return { outcome: 'unreadable', message: `cannot be read: ${errorText(error)}`, signature }
  }
}

/** undefined when there are not as many bytes as there should be. */
function readAll(fd: number, size: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  while (at < size) {
    const count = readSync(fd, bytes, at, size - at, at)
    if (count === 0) return undefined
    at += count
  }
  return bytes
}

function toSignature(stats: BigIntStats): Signature {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = stats
  return {
    text: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`,
    size: Number(size),
    racy: Date.now() - Number(ctimeMs) < RACY_MS,
  }
}

const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** `EACCES: permission denied` */
export const errorText = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/, \w+( '.*')?$/s, '') : String(error)
