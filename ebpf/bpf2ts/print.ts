import { type Field, gapsOf, type Shape, type StructShape } from '../btf/shape.ts'
import { EbpfError } from '../error.ts'
import { enumName, MapFlag, MapType } from '../sys/bpf-enum.ts'
import type { Bindings, ConstantBinding, EnumBinding, MapBinding } from './bindings.ts'
import { enumPrefix, typeName, valueName } from './names.ts'

const LINE_WIDTH = 110

/** What bindings import or export besides what the objects name. */
const TAKEN = new Set([
  ...['array', 'bitfield', 'bytes', 'text', 'zero', 'bool', 'f32', 'f64', 'be16', 'be32', 'be64'],
  ...['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64', 'maps', 'programs', 'constants'],
])

/**
 * Bindings as the text of a TypeScript module, formatted as Biome would. `command` is named at the top as the way to
 * make it anew, `library` is where the codecs are imported from.
 */
export function printBindings(bindings: Bindings, options: { command: string; library: string }): string {
  const printer = new Printer()
  const blocks = [
    ...bindings.enums.map(printEnum),
    ...bindings.structs.map(struct => printer.struct(struct)),
    printer.maps(bindings.maps),
    printer.programs(bindings.programs),
    printer.constants(bindings.constants),
  ]
  const module = blocks.join('\n\n')
  assertDistinct(module)
  const head = [`// Made by ${options.command}. Do not edit.`, '', ...printer.imports(options.library)]
  return `${[head.join('\n'), ...printer.helpers(), module].join('\n\n')}\n`
}

function printEnum({ name, values }: EnumBinding): string {
  const prefix = enumPrefix(
    name,
    values.map(value => value.name),
  )
  const type = typeName(name)
  const lines = values.map(value => `  ${value.name.slice(prefix.length)}: ${literal(value.value)},`)
  return [
    `/** enum ${name}${prefix === '' ? '' : `, ${prefix}*`}. */`,
    `export const ${type} = {`,
    ...lines,
    '} as const',
    `export type ${type} = (typeof ${type})[keyof typeof ${type}]`,
  ].join('\n')
}

function literal(value: number | bigint): string {
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

class Printer {
  readonly #imported = new Set<string>()
  /** Codecs that several fields may share: name -> expression. */
  readonly #helpers = new Map<string, string>()
  /** Lines that make codecs of arrays of structs: they must stand between the struct and who uses them. */
  #pending: string[] = []

  imports(library: string): string[] {
    const names = [...this.#imported].sort((a, b) => compareNames(bare(a), bare(b)))
    const line = `import { ${names.join(', ')} } from '${library}'`
    if (line.length <= LINE_WIDTH) return [line]
    return ['import {', ...names.map(name => `  ${name},`), `} from '${library}'`]
  }

  helpers(): string[] {
    const early = [...this.#helpers].filter(([, text]) => text !== '').sort(([a], [b]) => (a < b ? -1 : 1))
    return early.length === 0 ? [] : [early.map(([name, text]) => `const ${name} = ${text}`).join('\n')]
  }

  struct(struct: StructShape): string {
    this.#imported.add('type StructCodec')
    const type = typeName(struct.name)
    const name = this.#structName(struct)
    const fields = struct.fields.map(field => ({ ...field, codec: this.#fieldCodec(field) }))
    const gaps = gapsOf(struct)
    if (gaps.length > 0) this.#imported.add('zero')
    return [
      ...this.#takePending(),
      `/** struct ${struct.name}, ${struct.size} bytes. */`,
      `export interface ${type} {`,
      ...fields.map(field => `  readonly ${field.name}: ${typeOf(field.shape)}`),
      '}',
      '',
      `export const ${name}: StructCodec<${type}> = {`,
      `  name: '${struct.name}',`,
      `  size: ${struct.size},`,
      '  offsets: {',
      ...fields.map(field => `    ${field.name}: ${field.offset},`),
      '  },',
      '  encode(value, into, offset) {',
      ...gaps.map(gap => `    zero(into, ${at(gap.offset)}, ${gap.length})`),
      ...fields.map(field => `    ${field.codec}.encode(value.${field.name}, into, ${at(field.offset)})`),
      '  },',
      '  decode(from, offset) {',
      '    return {',
      ...fields.map(field => `      ${field.name}: ${field.codec}.decode(from, ${at(field.offset)}),`),
      '    }',
      '  },',
      '}',
    ].join('\n')
  }

  maps(maps: readonly MapBinding[]): string {
    const rows = maps.map(map => ({
      key: valueName(map.name),
      fields: [
        `name: '${map.name}'`,
        `type: ${this.#mapType(map.type)}`,
        ...(map.key === undefined ? [] : [`key: ${this.#codec(map.key)}`]),
        ...(map.value === undefined ? [] : [`value: ${this.#codec(map.value)}`]),
        `maxEntries: ${map.maxEntries}`,
        `flags: ${this.#mapFlags(map.flags)}`,
      ],
    }))
    const about = 'Every map of the objects. maxEntries as compiled: loaders set the real ones.'
    return [...this.#takePending(), table(about, 'maps', rows)].join('\n')
  }

  programs(programs: Bindings['programs']): string {
    const rows = programs.map(({ name, object, section }) => ({
      key: valueName(name),
      fields: [`name: '${name}'`, `object: '${object}'`, `section: '${section}'`],
    }))
    return table('Every program, with the object that it is in and its ELF section.', 'programs', rows)
  }

  constants(constants: readonly ConstantBinding[]): string {
    const rows = constants.map(({ name, objects, shape }) => ({
      key: valueName(name),
      fields: [
        `name: '${name}'`,
        `objects: [${objects.map(object => `'${object}'`).join(', ')}]`,
        `codec: ${this.#codec(shape)}`,
      ],
    }))
    const about = 'Every constant that a loader may set before it loads, with the objects that have it.'
    return [...this.#takePending(), table(about, 'constants', rows)].join('\n')
  }

  #fieldCodec(field: Field): string {
    const codec = this.#codec(field.shape)
    if (field.bitfield === undefined) return codec
    const { shift, width, signed } = field.bitfield
    const arguments_ = `${codec}, ${shift}, ${width}, '${signed ? 'signed' : 'unsigned'}'`
    return this.#helper(`${codec}Shift${shift}Width${width}`, 'bitfield', arguments_)
  }

  #codec(shape: Shape): string {
    switch (shape.kind) {
      case 'scalar':
        this.#imported.add(shape.codec)
        return shape.codec
      case 'bytes':
      case 'text':
        return this.#helper(`${shape.kind}${shape.size}`, shape.kind, String(shape.size))
      case 'array': {
        const of = this.#codec(shape.of)
        return this.#helper(`${of}X${shape.length}`, 'array', `${of}, ${shape.length}`, shape.of)
      }
      case 'struct':
        return this.#structName(shape)
    }
  }

  #structName(struct: StructShape): string {
    return valueName(struct.name, TAKEN)
  }

  #helper(name: string, make: string, arguments_: string, of?: Shape): string {
    if (this.#helpers.has(name)) return name
    this.#imported.add(make)
    const text = `${make}(${arguments_})`
    const late = of !== undefined && holdsStruct(of)
    this.#helpers.set(name, late ? '' : text)
    if (late) this.#pending.push(`const ${name} = ${text}`)
    return name
  }

  #takePending(): string[] {
    const lines = this.#pending
    this.#pending = []
    return lines.length === 0 ? [] : [...lines, '']
  }

  #mapType(type: number): string {
    const name = enumName(MapType, type)
    if (MapType[name as keyof typeof MapType] === undefined) return String(type)
    this.#imported.add('MapType')
    return `MapType.${name}`
  }

  #mapFlags(flags: number): string {
    const names: string[] = []
    let rest = flags
    for (const [name, bit] of Object.entries(MapFlag)) {
      if ((rest & bit) === 0) continue
      names.push(`MapFlag.${name}`)
      rest &= ~bit
    }
    if (names.length > 0) this.#imported.add('MapFlag')
    return rest === 0 && names.length > 0 ? names.join(' | ') : String(flags)
  }
}

/** Two things of the objects that would get one name in TypeScript, such as an enum and a struct. */
function assertDistinct(module: string): void {
  const seen = new Set<string>()
  for (const [, name = ''] of module.matchAll(/^(?:export )?(?:const|interface) (\w+)/gm)) {
    if (seen.has(name))
      throw new EbpfError('INVALID', `two things of the objects would both be called ${name}`)
    seen.add(name)
  }
}

interface Row {
  readonly key: string
  /** `name: expression` */
  readonly fields: readonly string[]
}

function table(about: string, name: string, rows: readonly Row[]): string {
  const lines = rows.flatMap(({ key, fields }) => [
    `  ${key}: {`,
    ...fields.map(field => `    ${field},`),
    '  },',
  ])
  const body =
    rows.length === 0
      ? [`export const ${name} = {} as const`]
      : [`export const ${name} = {`, ...lines, '} as const']
  return [`/** ${about} */`, ...body].join('\n')
}

function holdsStruct(shape: Shape): boolean {
  return shape.kind === 'struct' || (shape.kind === 'array' && holdsStruct(shape.of))
}

function typeOf(shape: Shape): string {
  switch (shape.kind) {
    case 'scalar':
      if (shape.codec === 'bool') return 'boolean'
      return shape.codec.endsWith('64') && shape.codec !== 'f64' ? 'bigint' : 'number'
    case 'bytes':
      return 'Uint8Array'
    case 'text':
      return 'string'
    case 'array':
      return `readonly ${shape.of.kind === 'array' ? `(${typeOf(shape.of)})` : typeOf(shape.of)}[]`
    case 'struct':
      return typeName(shape.name)
  }
}

function at(offset: number): string {
  return offset === 0 ? 'offset' : `offset + ${offset}`
}

function bare(name: string): string {
  return name.replace('type ', '')
}

/** How Biome sorts imports: lower case before upper case, digits by value. */
function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true, caseFirst: 'upper' })
}
