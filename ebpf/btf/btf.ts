import { EbpfError } from '../error.ts'
import { readElfSection } from './elf.ts'
import { parseBtf } from './parse-btf.ts'
import type { BtfDatasec, BtfKind, BtfType } from './types.ts'

/** The kernel's own bound on how deep types may be nested (kernel/bpf/btf.c, MAX_RESOLVE_DEPTH). */
export const MAX_DEPTH = 32

const POINTER_BYTES = 8

/** The types of one BTF blob, by id and by name. Immutable. */
export class Btf {
  readonly types: readonly BtfType[]
  /** What it was read from, for messages. */
  readonly origin: string
  #byName: Map<string, number[]> | undefined

  constructor(types: readonly BtfType[], origin: string) {
    this.types = types
    this.origin = origin
  }

  /** From raw BTF bytes: of the kernel, of a map, of a section. Throws MALFORMED. */
  static parse(bytes: Uint8Array, origin = 'BTF'): Btf {
    return new Btf(parseBtf(bytes, origin), origin)
  }

  /** From the .BTF section of a relocatable BPF object. Throws MALFORMED, also where there is none. */
  static fromElf(bytes: Uint8Array, origin = 'object'): Btf {
    const section = readElfSection(bytes, '.BTF', origin)
    if (section !== undefined) return Btf.parse(section.bytes, `BTF of ${origin}`)
    throw new EbpfError('MALFORMED', `${origin} has no .BTF section: compile it with -g`)
  }

  type(id: number): BtfType {
    const type = this.types[id]
    if (type === undefined) throw new EbpfError('NOT_FOUND', `${this.origin} has no type ${id}`)
    return type
  }

  /** The id of the first type of that kind and name. */
  find<K extends BtfKind>(kind: K, name: string): number | undefined {
    return this.#names()
      .get(name)
      ?.find(id => this.type(id).kind === kind)
  }

  /** The id of the struct, union, enum, typedef, integer or float of that name, in this order. Throws NOT_FOUND. */
  idOf(name: string): number {
    for (const kind of ['struct', 'union', 'enum', 'typedef', 'int', 'float'] as const) {
      const id = this.find(kind, name)
      if (id !== undefined) return id
    }
    throw new EbpfError('NOT_FOUND', `${this.origin} has no type ${name}`)
  }

  /** The enumerators of the enum of that name, by theirs; undefined where there is none. */
  enumerators(name: string): ReadonlyMap<string, number | bigint> | undefined {
    const id = this.find('enum', name)
    const type = id === undefined ? undefined : this.type(id)
    if (type?.kind !== 'enum') return undefined
    return new Map(type.values.map(({ name, value }) => [name, value]))
  }

  /** The data section of that name, such as '.rodata' or '.maps'. */
  section(name: string): BtfDatasec | undefined {
    const id = this.find('datasec', name)
    const type = id === undefined ? undefined : this.type(id)
    return type?.kind === 'datasec' ? type : undefined
  }

  /** The id below const, volatile, restrict, type tags and, unless told otherwise, typedefs. Throws MALFORMED on a circle. */
  resolve(id: number, through: 'typedefs' | 'qualifiers' = 'typedefs'): number {
    let current = id
    for (let depth = 0; depth <= MAX_DEPTH; depth++) {
      const type = this.type(current)
      switch (type.kind) {
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'type-tag':
          current = type.type
          break
        case 'typedef':
          if (through === 'qualifiers') return current
          current = type.type
          break
        default:
          return current
      }
    }
    throw this.bad(`type ${id} goes through more than ${MAX_DEPTH} others`)
  }

  /** sizeof, in bytes. Throws MALFORMED for what has no size: void, functions, forward declarations. */
  sizeOf(id: number, depth = 0): number {
    if (depth > MAX_DEPTH) throw this.bad(`type ${id} is nested deeper than ${MAX_DEPTH}`)
    const type = this.type(this.resolve(id))
    switch (type.kind) {
      case 'int':
      case 'struct':
      case 'union':
      case 'enum':
      case 'float':
      case 'datasec':
        return type.size
      case 'ptr':
        return POINTER_BYTES
      case 'array':
        return type.length * this.sizeOf(type.element, depth + 1)
      case 'var':
        return this.sizeOf(type.type, depth + 1)
      default:
        throw this.bad(`type ${id} (${type.kind}) has no size`)
    }
  }

  bad(message: string): EbpfError {
    return new EbpfError('MALFORMED', `${this.origin}: ${message}`)
  }

  #names(): Map<string, number[]> {
    if (this.#byName !== undefined) return this.#byName
    const byName = new Map<string, number[]>()
    this.types.forEach((type, id) => {
      if (!('name' in type) || type.name === '') return
      const ids = byName.get(type.name)
      if (ids === undefined) byName.set(type.name, [id])
      else ids.push(id)
    })
    this.#byName = byName
    return byName
  }
}
