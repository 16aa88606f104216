import { type Btf, MAX_DEPTH } from '../btf/btf.ts'
import type { ElfSection, ElfSymbol } from '../btf/elf.ts'
import { mapDefinitions } from '../btf/map-definitions.ts'
import { type Shape, type StructShape, shapeOf } from '../btf/shape.ts'
import type { BtfEnum } from '../btf/types.ts'
import { EbpfError } from '../error.ts'
import { checkNames } from './check-names.ts'

/**
 * The section whose variables say for which types bindings are wanted beyond those of the maps. Compilers drop
 * from BTF what nothing uses, so a variable here also keeps its type alive. Loaders skip the section.
 */
const WANTED_SECTION = '.bpf2ts'
const CONSTANT_SECTION = '.rodata'
/** Structs without a name have one for each place: a few nested ones mean billions. */
const MAX_STRUCTS = 4_096

/** A compiled object, read. */
export interface BindingSource {
  /** File name without `.bpf.o` or `.o`. */
  readonly name: string
  readonly btf: Btf
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
}

/** All that bindings tell, sorted: the same from every compiler. */
export interface Bindings {
  readonly enums: readonly EnumBinding[]
  /** Each after those that it contains. */
  readonly structs: readonly StructShape[]
  readonly maps: readonly MapBinding[]
  readonly programs: readonly ProgramBinding[]
  readonly constants: readonly ConstantBinding[]
}

export interface EnumBinding {
  readonly name: string
  readonly values: BtfEnum['values']
}

export interface MapBinding {
  readonly name: string
  /** enum bpf_map_type. */
  readonly type: number
  readonly key: Shape | undefined
  readonly value: Shape | undefined
  readonly maxEntries: number
  readonly flags: number
}

export interface ProgramBinding {
  readonly name: string
  readonly object: string
  /** Of the ELF file: what kind of program it is and where it wants to be attached. */
  readonly section: string
}

/** A `const volatile` variable that the loader may set. */
export interface ConstantBinding {
  readonly name: string
  readonly objects: readonly string[]
  readonly shape: Shape
}

/**
 * What several objects that share maps declare, as one. Throws LAYOUT where they declare different things under
 * one name, MALFORMED for BTF that is, or whose names are not those of C.
 */
export function collectBindings(sources: readonly BindingSource[]): Bindings {
  const collector = new Collector()
  for (const source of sources) collector.add(source)
  const bindings = collector.bindings()
  checkNames(bindings)
  return bindings
}

class Collector {
  readonly #enums = new Shared<EnumBinding>('enum')
  readonly #structs = new Shared<StructShape>('struct')
  readonly #maps = new Shared<MapBinding>('map')
  readonly #programs = new Map<string, ProgramBinding>()
  readonly #constants = new Shared<{ name: string; shape: Shape }>('constant')
  /** Of structs with a name of their own, which many others may hold. */
  readonly #known = new Map<StructShape, StructShape>()

  add(source: BindingSource): void {
    const { btf } = source
    for (const map of mapDefinitions(btf)) {
      const shapeFor = (type: number | undefined, part: string) =>
        type === undefined ? undefined : this.#shape(source, type, `${map.name}_${part}`)
      this.#maps.add(source.name, {
        name: map.name,
        type: map.type,
        key: shapeFor(map.keyType, 'key'),
        value: shapeFor(map.valueType, 'value'),
        maxEntries: map.maxEntries,
        flags: map.flags,
      })
    }
    const seen = new Set<number>()
    for (const { type } of btf.section(WANTED_SECTION)?.variables ?? []) this.#want(source, type, seen)
    for (const { type } of btf.section(CONSTANT_SECTION)?.variables ?? []) this.#addConstant(source, type)
    for (const symbol of source.symbols) this.#addProgram(source, symbol)
  }

  bindings(): Bindings {
    return {
      enums: this.#enums.sorted(),
      structs: containedFirst(this.#structs.sorted()),
      maps: this.#maps.sorted(),
      programs: [...this.#programs.values()].sort(byName),
      constants: this.#constants.sorted().map(constant => ({
        ...constant,
        objects: this.#constants.objectsOf(constant.name),
      })),
    }
  }

  /** A variable of the wanted section: of the type itself, or of a struct whose members are. Each type once. */
  #want(source: BindingSource, id: number, seen: Set<number>, depth = 0): void {
    const { btf } = source
    if (depth > MAX_DEPTH) throw btf.bad(`type ${id} is nested deeper than ${MAX_DEPTH}`)
    if (seen.has(id)) return
    seen.add(id)
    const variable = btf.type(id)
    const resolved = btf.resolve(variable.kind === 'var' ? variable.type : id)
    const type = btf.type(resolved)
    if (type.kind === 'enum' && type.name !== '') {
      this.#enums.add(source.name, { name: type.name, values: type.values })
    } else if (type.kind === 'struct' && type.name === '') {
      for (const member of type.members) this.#want(source, member.type, seen, depth + 1)
    } else if (type.kind === 'struct') {
      this.#shape(source, resolved, type.name)
    } else {
      throw btf.bad(`section ${WANTED_SECTION} names what is neither a struct nor an enum with a name`)
    }
  }

  #addConstant(source: BindingSource, id: number): void {
    const variable = source.btf.type(id)
    if (variable.kind !== 'var' || variable.linkage !== 'global') return
    this.#constants.add(source.name, {
      name: variable.name,
      shape: this.#shape(source, variable.type, variable.name),
    })
  }

  #addProgram(source: BindingSource, symbol: ElfSymbol): void {
    const section = source.sections[symbol.section]?.name
    // In .text are functions that programs call.
    if (symbol.kind !== 'function' || !symbol.global || section === undefined || section === '.text') return
    const earlier = this.#programs.get(symbol.name)
    if (earlier !== undefined) {
      throw new EbpfError('LAYOUT', `program ${symbol.name} is in ${earlier.object} and in ${source.name}`)
    }
    this.#programs.set(symbol.name, { name: symbol.name, object: source.name, section })
  }

  /** The shape of a type, with every struct in it named and remembered. */
  #shape(source: BindingSource, id: number, nameIfAnonymous: string): Shape {
    return this.#named(source, shapeOf(source.btf, id), nameIfAnonymous)
  }

  #named(source: BindingSource, shape: Shape, nameIfAnonymous: string): Shape {
    if (shape.kind === 'array') return { ...shape, of: this.#named(source, shape.of, nameIfAnonymous) }
    if (shape.kind !== 'struct') return shape
    const known = this.#known.get(shape)
    if (known !== undefined) return known
    const name = shape.name === '' ? nameIfAnonymous : shape.name
    const fields = shape.fields.map(field => ({
      ...field,
      shape: this.#named(source, field.shape, `${name}_${field.cName}`),
    }))
    const named = { ...shape, name, fields }
    this.#structs.add(source.name, named)
    if (shape.name !== '') this.#known.set(shape, named)
    if (this.#structs.size > MAX_STRUCTS) throw source.btf.bad(`it has more than ${MAX_STRUCTS} structs`)
    return named
  }
}

/** Things that several objects may declare, provided that they declare the same. */
class Shared<T extends { readonly name: string }> {
  readonly #kind: string
  readonly #entries = new Map<
    string,
    { readonly value: T; readonly text: string; readonly objects: string[] }
  >()

  constructor(kind: string) {
    this.#kind = kind
  }

  add(object: string, value: T): void {
    const text = textOf(value)
    const entry = this.#entries.get(value.name)
    if (entry === undefined) {
      this.#entries.set(value.name, { value, text, objects: [object] })
      return
    }
    if (entry.text !== text) {
      throw new EbpfError(
        'LAYOUT',
        `${this.#kind} ${value.name} of ${object} differs from that of ${entry.objects.join(', ')}`,
      )
    }
    if (!entry.objects.includes(object)) entry.objects.push(object)
  }

  get size(): number {
    return this.#entries.size
  }

  sorted(): T[] {
    return [...this.#entries.values()].map(entry => entry.value).sort(byName)
  }

  objectsOf(name: string): string[] {
    return [...(this.#entries.get(name)?.objects ?? [])].sort()
  }
}

/** Equal for equal things. A struct inside of it is its name: it is an entry of its own. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`
    return key !== '' && isStruct(part) ? { struct: part.name } : part
  })

const isStruct = (value: unknown): value is StructShape =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'struct'

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** Keeps the order but for structs that contain others: C cannot nest them in a circle. */
function containedFirst(structs: readonly StructShape[]): StructShape[] {
  const byStructName = new Map(structs.map(struct => [struct.name, struct]))
  const done = new Set<StructShape>()
  const visit = (struct: StructShape) => {
    if (done.has(struct)) return
    for (const field of struct.fields) {
      let shape = field.shape
      while (shape.kind === 'array') shape = shape.of
      const contained = shape.kind === 'struct' ? byStructName.get(shape.name) : undefined
      if (contained !== undefined) visit(contained)
    }
    done.add(struct)
  }
  for (const struct of structs) visit(struct)
  return [...done]
}
