import { ByteReader } from './byte-reader.ts'

const HEADER_BYTES = 64
const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const MACHINE_BPF = 247
const TYPE_NOBITS = 8
const TYPE_SYMTAB = 2

export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  /** Index of the section that this one refers to; for a symbol table its strings. */
  readonly link: number
  /** Empty for sections that take no room in the file (.bss). */
  readonly bytes: Uint8Array
}

export interface ElfSymbol {
  readonly name: string
  readonly kind: 'object' | 'function' | 'other'
  readonly global: boolean
  /** Index of the section that it lies in. */
  readonly section: number
  /** Offset in that section, in bytes. */
  readonly value: number
}

/** The sections of a little-endian 64-bit BPF object. Throws MALFORMED for anything else. */
export function readElfSections(bytes: Uint8Array, origin: string): ElfSection[] {
  const reader = new ByteReader(bytes, origin)
  if (reader.length < HEADER_BYTES || reader.u32(0) !== 0x464c457f) throw reader.bad('is no ELF file')
  if (reader.u8(4) !== 2 || reader.u8(5) !== 1) throw reader.bad('is not 64 bit, little endian')
  if (reader.u16(18) !== MACHINE_BPF) throw reader.bad('is not compiled for BPF')
  const table = reader.u64(40)
  const entryBytes = reader.u16(58)
  const count = reader.u16(60)
  const nameSection = reader.u16(62)
  if (count > 0 && entryBytes !== SECTION_HEADER_BYTES)
    throw reader.bad(`has section headers of ${entryBytes} bytes`)

  const headers = Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_HEADER_BYTES
    const type = reader.u32(at + 4)
    const content =
      type === TYPE_NOBITS ? new Uint8Array() : reader.bytes(reader.u64(at + 24), reader.u64(at + 32))
    return { index, nameOffset: reader.u32(at), type, link: reader.u32(at + 40), bytes: content }
  })
  const names = headers[nameSection]
  if (names === undefined) throw reader.bad('has no names of sections')
  const text = new ByteReader(names.bytes, `names of the sections of ${origin}`)
  return headers.map(({ nameOffset, ...header }) => ({ ...header, name: text.text(nameOffset) }))
}

/** One section by name; undefined where there is none. */
export function readElfSection(bytes: Uint8Array, name: string, origin: string): ElfSection | undefined {
  return readElfSections(bytes, origin).find(section => section.name === name)
}

/** The symbol table; empty where there is none. */
export function readElfSymbols(sections: readonly ElfSection[], origin: string): ElfSymbol[] {
  const table = sections.find(section => section.type === TYPE_SYMTAB)
  if (table === undefined) return []
  const symbols = new ByteReader(table.bytes, `symbols of ${origin}`)
  const names = new ByteReader(
    sections[table.link]?.bytes ?? new Uint8Array(),
    `names of the symbols of ${origin}`,
  )
  return Array.from({ length: Math.floor(symbols.length / SYMBOL_BYTES) }, (_, index) => {
    const at = index * SYMBOL_BYTES
    const info = symbols.u8(at + 4)
    return {
      name: names.text(symbols.u32(at)),
      kind: symbolKind(info & 0xf),
      global: info >> 4 !== 0,
      section: symbols.u16(at + 6),
      value: symbols.u64(at + 8),
    }
  })
}

function symbolKind(type: number): ElfSymbol['kind'] {
  if (type === 1) return 'object'
  return type === 2 ? 'function' : 'other'
}
