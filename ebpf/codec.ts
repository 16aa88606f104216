import { EbpfError } from './error.ts'
import type { Codec } from './map.ts'

/**
 * The building stones of codecs: what generated bindings are made of. Memory is little endian, as on every machine
 * that this package supports. A value that the C type cannot hold is a INVALID error, never cut off.
 */

/** A codec of a C struct that knows where its fields are. */
export interface StructCodec<T> extends Codec<T> {
  /** In C. */
  readonly name: string
  /** In bytes, by field. */
  readonly offsets: Readonly<Record<keyof T, number>>
}

export const u8: Codec<number> = {
  size: 1,
  encode(value, into, offset) {
    if ((value & 0xff) !== value) throw outOfRange(value, 'an unsigned 8-bit field')
    into.setUint8(offset, value)
  },
  decode: (from, offset) => from.getUint8(offset),
}

export const u16: Codec<number> = {
  size: 2,
  encode(value, into, offset) {
    if ((value & 0xffff) !== value) throw outOfRange(value, 'an unsigned 16-bit field')
    into.setUint16(offset, value, true)
  },
  decode: (from, offset) => from.getUint16(offset, true),
}

export const u32: Codec<number> = {
  size: 4,
  encode(value, into, offset) {
    if (value >>> 0 !== value) throw outOfRange(value, 'an unsigned 32-bit field')
    into.setUint32(offset, value, true)
  },
  decode: (from, offset) => from.getUint32(offset, true),
}

export const u64: Codec<bigint> = {
  size: 8,
  encode(value, into, offset) {
    if (BigInt.asUintN(64, value) !== value) throw outOfRange(value, 'an unsigned 64-bit field')
    into.setBigUint64(offset, value, true)
  },
  decode: (from, offset) => from.getBigUint64(offset, true),
}

export const i8: Codec<number> = {
  size: 1,
  encode(value, into, offset) {
    if ((value << 24) >> 24 !== value) throw outOfRange(value, 'a signed 8-bit field')
    into.setInt8(offset, value)
  },
  decode: (from, offset) => from.getInt8(offset),
}

export const i16: Codec<number> = {
  size: 2,
  encode(value, into, offset) {
    if ((value << 16) >> 16 !== value) throw outOfRange(value, 'a signed 16-bit field')
    into.setInt16(offset, value, true)
  },
  decode: (from, offset) => from.getInt16(offset, true),
}

export const i32: Codec<number> = {
  size: 4,
  encode(value, into, offset) {
    if ((value | 0) !== value) throw outOfRange(value, 'a signed 32-bit field')
    into.setInt32(offset, value, true)
  },
  decode: (from, offset) => from.getInt32(offset, true),
}

export const i64: Codec<bigint> = {
  size: 8,
  encode(value, into, offset) {
    if (BigInt.asIntN(64, value) !== value) throw outOfRange(value, 'a signed 64-bit field')
    into.setBigInt64(offset, value, true)
  },
  decode: (from, offset) => from.getBigInt64(offset, true),
}

/** Network byte order in memory, host order as a number. */
export const be16: Codec<number> = {
  size: 2,
  encode(value, into, offset) {
    if ((value & 0xffff) !== value) throw outOfRange(value, 'an unsigned 16-bit field')
    into.setUint16(offset, value)
  },
  decode: (from, offset) => from.getUint16(offset),
}

/** Network byte order in memory, host order as a number. */
export const be32: Codec<number> = {
  size: 4,
  encode(value, into, offset) {
    if (value >>> 0 !== value) throw outOfRange(value, 'an unsigned 32-bit field')
    into.setUint32(offset, value)
  },
  decode: (from, offset) => from.getUint32(offset),
}

/** Network byte order in memory, host order as a number. */
export const be64: Codec<bigint> = {
  size: 8,
  encode(value, into, offset) {
    if (BigInt.asUintN(64, value) !== value) throw outOfRange(value, 'an unsigned 64-bit field')
    into.setBigUint64(offset, value)
  },
  decode: (from, offset) => from.getBigUint64(offset),
}

export const bool: Codec<boolean> = {
  size: 1,
  encode: (value, into, offset) => into.setUint8(offset, value ? 1 : 0),
  decode: (from, offset) => from.getUint8(offset) !== 0,
}

export const f32: Codec<number> = {
  size: 4,
  encode: (value, into, offset) => into.setFloat32(offset, value, true),
  decode: (from, offset) => from.getFloat32(offset, true),
}

export const f64: Codec<number> = {
  size: 8,
  encode: (value, into, offset) => into.setFloat64(offset, value, true),
  decode: (from, offset) => from.getFloat64(offset, true),
}

/** __u8 x[size]: exactly that many bytes; decoding copies. */
export function bytes(size: number): Codec<Uint8Array> {
  return {
    size,
    encode(value, into, offset) {
      if (value.length !== size) throw outOfRange(`${value.length} bytes`, `a field of ${size} bytes`)
      bytesOf(into, offset, size).set(value)
    },
    decode: (from, offset) => bytesOf(from, offset, size).slice(),
  }
}

/** char x[size]: UTF-8 that ends with a NUL, so at most size - 1 bytes; the rest is written as zero. */
export function text(size: number): Codec<string> {
  return {
    size,
    encode(value, into, offset) {
      if (value.includes('\0') || Buffer.byteLength(value) >= size) {
        throw outOfRange(JSON.stringify(value), `a NUL-terminated field of ${size} bytes`)
      }
      const target = bufferOf(into, offset, size)
      target.fill(0, target.write(value))
    },
    decode(from, offset) {
      const source = bufferOf(from, offset, size)
      const end = source.indexOf(0)
      return source.toString('utf8', 0, end < 0 ? size : end)
    },
  }
}

/** T x[length]. An array that is shorter is filled up with zeroes, as in C; one that is longer is an error. */
export function array<T>(of: Codec<T>, length: number): Codec<readonly T[]> {
  return {
    size: of.size * length,
    encode(value, into, offset) {
      if (value.length > length) throw outOfRange(`${value.length} elements`, `an array of ${length}`)
      value.forEach((element, index) => {
        of.encode(element, into, offset + index * of.size)
      })
      zero(into, offset + value.length * of.size, (length - value.length) * of.size)
    },
    decode: (from, offset) => Array.from({ length }, (_, index) => of.decode(from, offset + index * of.size)),
  }
}

/**
 * A bitfield: `width` bits from bit `shift` of the first byte on; `of` is the codec of its C type. Encoding leaves
 * the bits around it alone and expects its own to be zero.
 */
export function bitfield<T extends number | bigint | boolean>(
  of: Codec<T>,
  shift: number,
  width: number,
  sign: 'signed' | 'unsigned',
): Codec<T> {
  const size = Math.ceil((shift + width) / 8)
  const wrap = sign === 'signed' ? BigInt.asIntN : BigInt.asUintN
  return {
    size,
    encode(value, into, offset) {
      const scratch = new DataView(new ArrayBuffer(8))
      of.encode(value, scratch, 0)
      const whole = wrap(of.size * 8, scratch.getBigUint64(0, true))
      if (wrap(width, whole) !== whole) throw outOfRange(value, `a bitfield of ${width} bits`)
      const bits = BigInt.asUintN(width, whole) << BigInt(shift)
      for (let index = 0; index < size; index++) {
        const byte = Number((bits >> BigInt(index * 8)) & 0xffn)
        into.setUint8(offset + index, into.getUint8(offset + index) | byte)
      }
    },
    decode(from, offset) {
      let bits = 0n
      for (let index = 0; index < size; index++)
        bits |= BigInt(from.getUint8(offset + index)) << BigInt(index * 8)
      const scratch = new DataView(new ArrayBuffer(8))
      scratch.setBigUint64(0, BigInt.asUintN(64, wrap(width, bits >> BigInt(shift))), true)
      return of.decode(scratch, 0)
    },
  }
}

/** Writes `length` zero bytes: padding and reserved fields, since hash keys are compared with them. */
export function zero(into: DataView, offset: number, length: number): void {
  for (let index = offset; index < offset + length; index++) into.setUint8(index, 0)
}

function bytesOf(view: DataView, offset: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, size)
}

function bufferOf(view: DataView, offset: number, size: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + offset, size)
}

function outOfRange(value: unknown, what: string): EbpfError {
  return new EbpfError('INVALID', `${String(value)} does not fit ${what}`)
}
