import { EbpfError } from '../error.ts'

/** Little-endian reads from untrusted bytes: what lies outside is a MALFORMED error that says where. */
export class ByteReader {
  readonly #view: DataView
  readonly #buffer: Buffer
  readonly #what: string

  /** `what` names the input in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get length(): number {
    return this.#view.byteLength
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#within(offset, 1))
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#within(offset, 2), true)
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#within(offset, 4), true)
  }

  /** A 64-bit offset or size; one beyond 2^53 is outside of any input. */
  u64(offset: number): number {
    return Number(this.#view.getBigUint64(this.#within(offset, 8), true))
  }

  bytes(offset: number, length: number): Uint8Array {
    this.#within(offset, length)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + offset, length)
  }

  /** A part of the input as a reader of its own, with offsets from its beginning. */
  slice(offset: number, length: number, what: string): ByteReader {
    return new ByteReader(this.bytes(offset, length), what)
  }

  /** NUL-terminated UTF-8. */
  text(offset: number): string {
    this.#within(offset, 1)
    const end = this.#buffer.indexOf(0, offset)
    if (end < 0) throw this.bad(`the text at ${offset} does not end`)
    return this.#buffer.toString('utf8', offset, end)
  }

  bad(message: string): EbpfError {
    return new EbpfError('MALFORMED', `${this.#what}: ${message}`)
  }

  #within(offset: number, length: number): number {
    if (offset >= 0 && offset + length <= this.#view.byteLength) return offset
    throw this.bad(`${length} bytes at ${offset} lie outside of its ${this.#view.byteLength} bytes`)
  }
}
