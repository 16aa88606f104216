import { type Btf, MAX_DEPTH } from './btf.ts'
import type { BtfComposite, BtfEnum, BtfInt, BtfMember } from './types.ts'

/**
 * How a C type appears in TypeScript and in memory: what the generator prints codecs from and what the dynamic
 * codec interprets, so that the two cannot differ.
 */
export type Shape =
  | ScalarShape
  | { readonly kind: 'bytes' | 'text'; readonly size: number }
  | { readonly kind: 'array'; readonly of: Shape; readonly length: number; readonly size: number }
  | StructShape

/** number; bigint where the C type has 8 bytes; boolean for bool. */
export interface ScalarShape {
  readonly kind: 'scalar'
  readonly codec: ScalarName
  readonly size: number
}

/** Names of codecs in codec.ts. be…: in network byte order in memory, in host order as a number. */
export type ScalarName =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'i8'
  | 'i16'
  | 'i32'
  | 'i64'
  | 'be16'
  | 'be32'
  | 'be64'
  | 'bool'
  | 'f32'
  | 'f64'

export interface StructShape {
  readonly kind: 'struct'
  /** In C, of the struct or else of its typedef; empty: anonymous. */
  readonly name: string
  readonly size: number
  /** By offset, without reserved fields: their bytes, like padding, are written as zero. */
  readonly fields: readonly Field[]
}

export interface Field {
  /** camelCase. */
  readonly name: string
  /** In C. */
  readonly cName: string
  /** In bytes; of a bitfield: the byte that holds its first bit. */
  readonly offset: number
  readonly shape: Shape
  readonly bitfield?: Bitfield
}

export interface Bitfield {
  /** 0 to 7: where in the byte at `offset` the field begins. */
  readonly shift: number
  /** In bits. */
  readonly width: number
  readonly signed: boolean
}

/** As many values as one decode may produce: hostile BTF nests arrays so that a few bytes of it mean billions. */
const MAX_VALUES = 1 << 20
const MAX_BYTES = 2 ** 31

/** Types of the kernel's API whose parts nobody wants to see. */
const BYTE_STRUCTS = new Set(['in6_addr'])

/** The kernel's typedefs of integers in network byte order. */
const BIG_ENDIAN: Readonly<Record<string, { readonly codec: ScalarName; readonly size: number }>> = {
  __be16: { codec: 'be16', size: 2 },
  __be32: { codec: 'be32', size: 4 },
  __be64: { codec: 'be64', size: 8 },
}

interface Measured {
  readonly shape: Shape
  /** How many scalars, byte strings and texts it holds. */
  readonly values: number
}

/** The shape of a type. Throws MALFORMED for what has no size, is malformed, or is too big to be meant. */
export function shapeOf(btf: Btf, id: number): Shape {
  return new ShapeReader(btf).measure(id, 0).shape
}

class ShapeReader {
  readonly #btf: Btf
  readonly #known = new Map<number, Measured>()

  constructor(btf: Btf) {
    this.#btf = btf
  }

  measure(id: number, depth: number): Measured {
    if (depth > MAX_DEPTH) throw this.#btf.bad(`type ${id} is nested deeper than ${MAX_DEPTH}`)
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const measured = this.#read(id, depth)
    if (measured.shape.size > MAX_BYTES || measured.values > MAX_VALUES) {
      throw this.#btf.bad(`type ${id} is too big: ${measured.values} values in ${measured.shape.size} bytes`)
    }
    this.#known.set(id, measured)
    return measured
  }

  #read(id: number, depth: number): Measured {
    const btf = this.#btf
    const outer = btf.type(btf.resolve(id, 'qualifiers'))
    if (outer.kind === 'typedef') {
      const inner = this.measure(outer.type, depth + 1)
      const swapped = BIG_ENDIAN[outer.name]
      // Somebody else's type may have that name.
      if (inner.shape.kind === 'scalar' && inner.shape.size === swapped?.size)
        return one({ kind: 'scalar', ...swapped })
      if (inner.shape.kind !== 'struct' || inner.shape.name !== '') return inner
      return { ...inner, shape: { ...inner.shape, name: outer.name } }
    }
    switch (outer.kind) {
      case 'int':
        if (outer.bits === outer.size * 8) return one(intShape(outer))
        // Before LLVM 8 and pahole 1.13 the integer, not the member, said which of its bits a bitfield has.
        throw btf.bad(`the integer ${outer.name} has ${outer.bits} of ${outer.size * 8} bits: compile anew`)
      case 'enum':
        return one({ kind: 'scalar', codec: this.#enumCodec(outer), size: outer.size })
      case 'ptr':
        return one({ kind: 'scalar', codec: 'u64', size: 8 })
      case 'float':
        if (outer.size === 4) return one({ kind: 'scalar', codec: 'f32', size: 4 })
        if (outer.size === 8) return one({ kind: 'scalar', codec: 'f64', size: 8 })
        return one({ kind: 'bytes', size: outer.size })
      case 'array':
        return this.#array(outer.element, outer.length, depth)
      case 'struct':
        if (BYTE_STRUCTS.has(outer.name)) return one({ kind: 'bytes', size: outer.size })
        return this.#struct(outer, depth)
      case 'union':
        return this.#union(outer, depth)
      case 'var':
        return this.measure(outer.type, depth + 1)
      default:
        throw btf.bad(`type ${id} (${outer.kind}) has no size`)
    }
  }

  #enumCodec(type: BtfEnum): ScalarName {
    const codec = integerCodec(type.size, type.signed)
    if (codec === undefined) throw this.#btf.bad(`enum ${type.name} has ${type.size} bytes`)
    return codec
  }

  #array(element: number, length: number, depth: number): Measured {
    const of = this.measure(element, depth + 1)
    const size = of.shape.size * length
    if (of.shape.kind === 'scalar' && of.shape.codec === 'u8') return one({ kind: 'bytes', size })
    if (this.#isChar(element)) return one({ kind: 'text', size })
    if (of.shape.size === 0 && length > 0)
      throw this.#btf.bad(`an array of ${length} elements without a size`)
    return { shape: { kind: 'array', of: of.shape, length, size }, values: of.values * length }
  }

  #isChar(id: number): boolean {
    const type = this.#btf.type(this.#btf.resolve(id))
    return type.kind === 'int' && type.size === 1 && type.name === 'char'
  }

  #struct(type: BtfComposite, depth: number): Measured {
    const fields: Field[] = []
    let values = 0
    for (const member of type.members) {
      const found = this.#member(type, member, depth)
      for (const field of found.fields) fields.push(field)
      values += found.values
      // Before more is copied: anonymous structs can nest so that fields double at each level.
      if (values > MAX_VALUES) throw this.#btf.bad(`struct ${type.name} is too big: ${values} values`)
    }
    this.#assertApart(type, fields)
    return { shape: { kind: 'struct', name: type.name, size: type.size, fields }, values }
  }

  /** None for reserved and padding members, several for an anonymous struct: its fields are the parent's. */
  #member(parent: BtfComposite, member: BtfMember, depth: number): { fields: Field[]; values: number } {
    const { shape, values } = this.measure(member.type, depth + 1)
    const bits = member.bits > 0 ? member.bits : shape.size * 8
    if (member.bitOffset + bits > parent.size * 8) {
      throw this.#btf.bad(`field ${member.name} lies outside of ${parent.kind} ${parent.name}`)
    }
    if (isReserved(member.name) || shape.size === 0) return { fields: [], values: 0 }
    const offset = Math.floor(member.bitOffset / 8)
    if (member.name === '') {
      if (shape.kind !== 'struct') return { fields: [], values: 0 }
      return { fields: shape.fields.map(field => ({ ...field, offset: offset + field.offset })), values }
    }
    const named = { name: camelCase(member.name), cName: member.name, offset, shape }
    const bitfield = this.#bitfield(member, shape)
    return { fields: [bitfield === undefined ? named : { ...named, bitfield }], values }
  }

  #bitfield(member: BtfMember, shape: Shape): Bitfield | undefined {
    const aligned = member.bitOffset % 8 === 0
    if (aligned && (member.bits === 0 || member.bits === shape.size * 8)) return undefined
    if (shape.kind !== 'scalar' || member.bits === 0 || member.bits > shape.size * 8) {
      throw this.#btf.bad(
        `field ${member.name} cannot be a bitfield of ${member.bits} bits at bit ${member.bitOffset}`,
      )
    }
    return { shift: member.bitOffset % 8, width: member.bits, signed: shape.codec.startsWith('i') }
  }

  /**
   * A union is seen through its first member that is as big as the union: the others are views of the same bytes.
   * Where there is none it is bytes.
   */
  #union(type: BtfComposite, depth: number): Measured {
    for (const member of type.members) {
      const found = this.#member(type, member, depth)
      if (member.bits > 0 || this.measure(member.type, depth + 1).shape.size !== type.size) continue
      return {
        shape: { kind: 'struct', name: type.name, size: type.size, fields: found.fields },
        values: found.values,
      }
    }
    return one({ kind: 'bytes', size: type.size })
  }

  #assertApart(type: BtfComposite, fields: readonly Field[]): void {
    let end = 0
    const names = new Set<string>()
    for (const field of fields) {
      const from = field.offset * 8 + (field.bitfield?.shift ?? 0)
      if (from < end)
        throw this.#btf.bad(`field ${field.cName} of struct ${type.name} overlaps the one before`)
      if (names.has(field.name)) throw this.#btf.bad(`struct ${type.name} has two fields ${field.name}`)
      names.add(field.name)
      end = from + (field.bitfield?.width ?? field.shape.size * 8)
    }
  }
}

function one(shape: Shape): Measured {
  return { shape, values: 1 }
}

function intShape(type: BtfInt): Shape {
  if (type.bool && type.size === 1) return { kind: 'scalar', codec: 'bool', size: 1 }
  const codec = integerCodec(type.size, type.signed)
  return codec === undefined ? { kind: 'bytes', size: type.size } : { kind: 'scalar', codec, size: type.size }
}

function integerCodec(size: number, signed: boolean): ScalarName | undefined {
  switch (size) {
    case 1:
      return signed ? 'i8' : 'u8'
    case 2:
      return signed ? 'i16' : 'u16'
    case 4:
      return signed ? 'i32' : 'u32'
    case 8:
      return signed ? 'i64' : 'u64'
    default:
      return undefined
  }
}

function isReserved(name: string): boolean {
  return name.startsWith('reserved')
}

/** service_port -> servicePort. */
export function camelCase(name: string): string {
  return name.replace(/(?<=[^_])_+(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** The ranges of bytes that no field owns alone, to be written as zero first: padding, reserved fields, bitfields. */
export function gapsOf(struct: StructShape): { readonly offset: number; readonly length: number }[] {
  const gaps: { offset: number; length: number }[] = []
  let end = 0
  const skipTo = (offset: number) => {
    if (offset > end) gaps.push({ offset: end, length: offset - end })
  }
  for (const field of struct.fields) {
    if (field.bitfield !== undefined) continue
    skipTo(field.offset)
    end = field.offset + field.shape.size
  }
  skipTo(struct.size)
  return gaps
}
