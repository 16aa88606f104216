import { ByteReader } from './byte-reader.ts'
import type { BtfEnumValue, BtfLinkage, BtfMember, BtfParam, BtfSectionVariable, BtfType } from './types.ts'

const MAGIC = 0xeb9f
const MAGIC_SWAPPED = 0x9feb
const HEADER_BYTES = 24
const LINKAGES: readonly BtfLinkage[] = ['static', 'global', 'extern']

/**
 * Parses the raw bytes of a .BTF section, of /sys/kernel/btf/vmlinux or of a BTF object in the kernel. Gives the
 * types by id; 0 is void. Whatever is not well-formed is a MALFORMED error: lengths and references are checked
 * here, once, so that nobody has to look again. (References may still form a circle: see Btf.resolve.)
 */
export function parseBtf(bytes: Uint8Array, what = 'BTF'): BtfType[] {
  const reader = new ByteReader(bytes, what)
  const magic = reader.u16(0)
  if (magic === MAGIC_SWAPPED) throw reader.bad('is of a big-endian machine, which is not supported')
  if (magic !== MAGIC) throw reader.bad(`does not begin with the magic number ${MAGIC.toString(16)}`)
  if (reader.u8(2) !== 1) throw reader.bad(`has version ${reader.u8(2)}, known is 1`)
  const headerBytes = reader.u32(4)
  if (headerBytes < HEADER_BYTES) throw reader.bad(`has a header of only ${headerBytes} bytes`)

  const typeSection = reader.slice(headerBytes + reader.u32(8), reader.u32(12), `${what} types`)
  const strings = reader.slice(headerBytes + reader.u32(16), reader.u32(20), `${what} strings`)
  if (strings.length > 0 && strings.u8(strings.length - 1) !== 0)
    throw strings.bad('the last one does not end')

  const types: BtfType[] = [{ kind: 'void' }]
  const cursor = new Cursor(typeSection, strings)
  while (!cursor.atEnd) types.push(readType(cursor))
  types.forEach((type, id) => {
    for (const reference of references(type)) {
      if (reference >= types.length) throw reader.bad(`type ${id} (${type.kind}) refers to type ${reference}`)
    }
    if (type.kind !== 'datasec') return
    for (const variable of type.variables) {
      if (types[variable.type]?.kind !== 'var')
        throw reader.bad(`section ${type.name} holds what is no variable`)
    }
  })
  return types
}

/** Reads 32-bit words one after the other. */
class Cursor {
  readonly #types: ByteReader
  readonly #strings: ByteReader
  #offset = 0

  constructor(types: ByteReader, strings: ByteReader) {
    this.#types = types
    this.#strings = strings
  }

  get atEnd(): boolean {
    return this.#offset >= this.#types.length
  }

  word(): number {
    const word = this.#types.u32(this.#offset)
    this.#offset += 4
    return word
  }

  name(): string {
    return this.text(this.word())
  }

  /** Offset 0 is the empty name, also where there are no strings at all. */
  text(offset: number): string {
    return offset === 0 ? '' : this.#strings.text(offset)
  }

  list<T>(length: number, read: () => T): T[] {
    return Array.from({ length }, read)
  }

  bad(message: string) {
    return this.#types.bad(`${message} at ${this.#offset}`)
  }
}

function readType(cursor: Cursor): BtfType {
  const name = cursor.name()
  const info = cursor.word()
  const sizeOrType = cursor.word()
  const length = info & 0xffff
  const flag = info >>> 31 === 1
  const kind = (info >>> 24) & 0x1f
  switch (kind) {
    case 1:
      return readInt(cursor, name, sizeOrType)
    case 2:
      return { kind: 'ptr', type: sizeOrType }
    case 3:
      return { kind: 'array', element: cursor.word(), index: cursor.word(), length: cursor.word() }
    case 4:
    case 5: {
      const members = cursor.list(length, () => readMember(cursor, flag))
      return { kind: kind === 4 ? 'struct' : 'union', name, size: sizeOrType, members }
    }
    case 6: {
      const values = cursor.list(length, () => readEnumValue(cursor, flag))
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values }
    }
    case 7:
      return { kind: 'fwd', name, of: flag ? 'union' : 'struct' }
    case 8:
      return { kind: 'typedef', name, type: sizeOrType }
    case 9:
      return { kind: 'volatile', type: sizeOrType }
    case 10:
      return { kind: 'const', type: sizeOrType }
    case 11:
      return { kind: 'restrict', type: sizeOrType }
    case 12:
      return { kind: 'func', name, type: sizeOrType, linkage: linkageOf(cursor, length) }
    case 13: {
      const params = cursor.list(length, (): BtfParam => ({ name: cursor.name(), type: cursor.word() }))
      return { kind: 'func-proto', result: sizeOrType, params }
    }
    case 14:
      return { kind: 'var', name, type: sizeOrType, linkage: linkageOf(cursor, cursor.word()) }
    case 15: {
      const variables = cursor.list(
        length,
        (): BtfSectionVariable => ({ type: cursor.word(), offset: cursor.word(), size: cursor.word() }),
      )
      return { kind: 'datasec', name, size: sizeOrType, variables }
    }
    case 16:
      return { kind: 'float', name, size: sizeOrType }
    case 17:
      return { kind: 'decl-tag', tag: name, type: sizeOrType, component: cursor.word() | 0 }
    case 18:
      return { kind: 'type-tag', tag: name, type: sizeOrType }
    case 19: {
      const values = cursor.list(length, () => readEnum64Value(cursor, flag))
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values }
    }
    default:
      // The length of an unknown kind is unknown, so nothing behind it can be read either.
      throw cursor.bad(`kind ${kind} is not known`)
  }
}

function readInt(cursor: Cursor, name: string, size: number): BtfType {
  const word = cursor.word()
  const bits = word & 0xff
  const bitOffset = (word >>> 16) & 0xff
  if (![1, 2, 4, 8, 16].includes(size) || bits + bitOffset > size * 8) {
    throw cursor.bad(`the integer ${name} of ${size} bytes cannot hold ${bits} bits at bit ${bitOffset}`)
  }
  return {
    kind: 'int',
    name,
    size,
    signed: (word & 0x0100_0000) !== 0,
    bool: (word & 0x0400_0000) !== 0,
    bitOffset,
    bits,
  }
}

/** With the kind flag set, the upper byte of the offset is the width of a bitfield. */
function readMember(cursor: Cursor, flag: boolean): BtfMember {
  const name = cursor.name()
  const type = cursor.word()
  const offset = cursor.word()
  return { name, type, bitOffset: flag ? offset & 0xff_ffff : offset, bits: flag ? offset >>> 24 : 0 }
}

/** Compilers before LLVM 15 never set the flag: their negative values come out as 2^32 - n. */
function readEnumValue(cursor: Cursor, flag: boolean): BtfEnumValue {
  const name = cursor.name()
  const word = cursor.word()
  return { name, value: flag ? word | 0 : word }
}

function readEnum64Value(cursor: Cursor, signed: boolean): BtfEnumValue {
  const name = cursor.name()
  const low = BigInt(cursor.word())
  const high = BigInt(cursor.word())
  const raw = (high << 32n) | low
  const value = signed ? BigInt.asIntN(64, raw) : raw
  const exact = value >= -(2n ** 53n) && value <= 2n ** 53n
  return { name, value: exact ? Number(value) : value }
}

function linkageOf(cursor: Cursor, value: number): BtfLinkage {
  const linkage = LINKAGES[value]
  if (linkage === undefined) throw cursor.bad(`linkage ${value} is not known`)
  return linkage
}

/** The ids that a type refers to. */
function references(type: BtfType): number[] {
  switch (type.kind) {
    case 'array':
      return [type.element, type.index]
    case 'struct':
    case 'union':
      return type.members.map(member => member.type)
    case 'func-proto':
      return [type.result, ...type.params.map(param => param.type)]
    case 'datasec':
      return type.variables.map(variable => variable.type)
    case 'void':
    case 'int':
    case 'enum':
    case 'fwd':
    case 'float':
      return []
    default:
      return [type.type]
  }
}
