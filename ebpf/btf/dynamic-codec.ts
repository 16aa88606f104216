import {
  array,
  be16,
  be32,
  be64,
  bitfield,
  bool,
  bytes,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  type StructCodec,
  text,
  u8,
  u16,
  u32,
  u64,
  zero,
} from '../codec.ts'
import { EbpfError } from '../error.ts'
import type { Codec } from '../map.ts'
import type { Btf } from './btf.ts'
import { type Field, gapsOf, type ScalarShape, type Shape, type StructShape, shapeOf } from './shape.ts'

/** A C value as plain data: structs by field name in camelCase, as in generated bindings. */
export type DynamicValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | readonly DynamicValue[]
  | DynamicRecord

export interface DynamicRecord {
  readonly [field: string]: DynamicValue
}

/**
 * The codec of a type that is only known at run time, such as the value of a map that another version pinned. It
 * agrees with generated codecs to the byte. `type` is an id or the name of a struct, enum or typedef. Throws
 * NOT_FOUND, or MALFORMED for a type without a size; encoding throws INVALID where the value is of another type.
 */
export function codecFromBtf(btf: Btf, type: string | number): Codec<DynamicValue> {
  return codecOf(shapeOf(btf, typeof type === 'string' ? btf.idOf(type) : type))
}

/** The same for a struct. Throws INVALID where the type is none. */
export function recordCodecFromBtf(btf: Btf, type: string | number): StructCodec<DynamicRecord> {
  const shape = shapeOf(btf, typeof type === 'string' ? btf.idOf(type) : type)
  if (shape.kind !== 'struct') throw new EbpfError('INVALID', `type ${type} of ${btf.origin} is no struct`)
  return structCodec(shape)
}

/** The codec of a shape. */
export function codecOf(shape: Shape): Codec<DynamicValue> {
  switch (shape.kind) {
    case 'scalar':
      return scalarCodec(shape)
    case 'bytes':
      return guarded(bytes(shape.size), 'bytes', value => value instanceof Uint8Array)
    case 'text':
      return guarded(text(shape.size), 'a text', value => typeof value === 'string')
    case 'array':
      return guarded(array(codecOf(shape.of), shape.length), 'an array', value => Array.isArray(value))
    case 'struct':
      return guarded(structCodec(shape), `a record for ${shape.name}`, isRecord)
  }
}

const NUMBERS = { u8, u16, u32, i8, i16, i32, be16, be32, f32, f64 }
const BIGINTS = { u64, i64, be64 }

function scalarCodec({ codec }: ScalarShape, field?: Field): Codec<DynamicValue> {
  switch (codec) {
    case 'bool':
      return guarded(inBits(bool, field), 'a boolean', value => typeof value === 'boolean')
    case 'u64':
    case 'i64':
    case 'be64':
      return guarded(inBits(BIGINTS[codec], field), 'a bigint', value => typeof value === 'bigint')
    default:
      return guarded(inBits(NUMBERS[codec], field), 'a number', value => typeof value === 'number')
  }
}

function inBits<T extends number | bigint | boolean>(codec: Codec<T>, field: Field | undefined): Codec<T> {
  const bits = field?.bitfield
  if (bits === undefined) return codec
  return bitfield(codec, bits.shift, bits.width, bits.signed ? 'signed' : 'unsigned')
}

function structCodec(shape: StructShape): StructCodec<DynamicRecord> {
  const gaps = gapsOf(shape)
  const fields = shape.fields.map(field => ({
    name: field.name,
    offset: field.offset,
    codec: field.shape.kind === 'scalar' ? scalarCodec(field.shape, field) : codecOf(field.shape),
  }))
  return {
    name: shape.name,
    size: shape.size,
    offsets: Object.fromEntries(fields.map(field => [field.name, field.offset])),
    encode(value, into, offset) {
      for (const gap of gaps) zero(into, offset + gap.offset, gap.length)
      for (const field of fields) {
        const part = value[field.name]
        if (part === undefined)
          throw new EbpfError('INVALID', `struct ${shape.name} needs a field ${field.name}`)
        field.codec.encode(part, into, offset + field.offset)
      }
    },
    decode: (from, offset) =>
      Object.fromEntries(fields.map(field => [field.name, field.codec.decode(from, offset + field.offset)])),
  }
}

/** A codec that takes anything and says what it wanted. */
function guarded<T extends DynamicValue>(
  codec: Codec<T>,
  wanted: string,
  fits: (value: DynamicValue) => boolean,
): Codec<DynamicValue> {
  return {
    // A struct's name and offsets stay.
    ...codec,
    encode(value, into, offset) {
      if (!fits(value)) throw new EbpfError('INVALID', `${String(value)} is not ${wanted}`)
      codec.encode(value as T, into, offset)
    },
    decode: (from, offset) => codec.decode(from, offset),
  }
}

function isRecord(value: DynamicValue): boolean {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)
}
