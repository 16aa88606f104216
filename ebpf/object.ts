import { basename } from 'node:path'
import { BpfMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import { checkLayout, type MapSpec } from './map-spec.ts'
import { Program } from './program.ts'
import { ObjectFile, type ProgramSpec } from './sys/object-file.ts'
import type { ConstantSpec, ConstantValue } from './sys/rodata.ts'

/** What an object file contains: pure data. */
export interface ObjectSpec {
  readonly path: string
  /** Global data too, under the names `.rodata`, `.data`, `.bss`. */
  readonly maps: readonly MapSpec[]
  readonly programs: readonly ProgramSpec[]
  /** `const volatile` globals, which can be set before loading. */
  readonly constants: readonly ConstantSpec[]
}

/** Reads what an object file contains; nothing is loaded. Throws LOAD, LIBBPF. */
export const readObjectSpec = (path: string): ObjectSpec => {
  using file = new ObjectFile(path)
  return specOf(file)
}

const specOf = (file: ObjectFile): ObjectSpec => ({
  path: file.path,
  maps: file.maps.map(({ spec }) => spec),
  programs: file.programs.map(({ spec }) => spec),
  constants: file.constants,
})

export interface LoadOptions {
  /** Only these programs; all by default (except those in sections that begin with `?`). */
  readonly programs?: readonly string[]
  /** Sizes of maps, by name. */
  readonly maxEntries?: Readonly<Record<string, number>>
  /**
   * Maps to use instead of new ones, by name: from other objects or from pins. They stay the caller's. Another
   * layout than the object's throws LAYOUT; the size is compared where `maxEntries` names the map.
   */
  readonly reuse?: Readonly<Record<string, BpfMap>>
  /** Values of `const volatile` globals, by name. */
  readonly constants?: Readonly<Record<string, ConstantValue>>
}

/** The programs and maps of an object in the kernel. Owns them all. */
export class LoadedObject implements Disposable {
  readonly spec: ObjectSpec
  readonly maps: ReadonlyMap<string, BpfMap>
  readonly programs: ReadonlyMap<string, Program>

  constructor(spec: ObjectSpec, maps: readonly BpfMap[], programs: readonly Program[]) {
    this.spec = spec
    this.maps = new Map(maps.map(map => [map.name, map]))
    this.programs = new Map(programs.map(program => [program.name, program]))
  }

  /** Throws NOT_FOUND. */
  map(name: string): BpfMap {
    return this.maps.get(name) ?? missing(this.spec.path, 'map', name, [...this.maps.keys()])
  }

  /** Throws NOT_FOUND; also for a program that was left out. */
  program(name: string): Program {
    return this.programs.get(name) ?? missing(this.spec.path, 'program', name, [...this.programs.keys()])
  }

  [Symbol.dispose](): void {
    for (const program of this.programs.values()) program[Symbol.dispose]()
    for (const map of this.maps.values()) map[Symbol.dispose]()
  }
}

const missing = (path: string, kind: string, name: string, known: readonly string[]): never => {
  const names = known.length === 0 ? 'none' : known.join(', ')
  throw new EbpfError('NOT_FOUND', `${basename(path)} has no ${kind} ${name}; it has: ${names}`)
}

/**
 * Loads an object file into the kernel. Throws VerifierError when a program is refused, NOT_FOUND for names in
 * the options that the object lacks, LAYOUT, PERMISSION, LOAD. Nothing stays behind on failure.
 */
export const loadObject = (path: string, options: LoadOptions = {}): LoadedObject => {
  using file = prepare(path, options)
  file.load()
  return adopt(file)
}

/**
 * The same in another thread: the kernel takes tenths of a second to verify programs and to make large maps, and this
 * one has its turns meanwhile. What fails there is tried once more here, which tells why.
 */
export const loadObjectInThread = async (path: string, options: LoadOptions = {}): Promise<LoadedObject> => {
  using file = prepare(path, options)
  return (await file.loadInThread()) ? adopt(file) : loadObject(path, options)
}

/** Open, and as the options say. */
const prepare = (path: string, options: LoadOptions): ObjectFile => {
  using undo = new DisposableStack()
  const file = undo.use(new ObjectFile(path))
  choosePrograms(file, options.programs)
  sizeMaps(file, options.maxEntries ?? {})
  reuseMaps(file, options)
  for (const [name, value] of Object.entries(options.constants ?? {})) {
    const constant =
      file.constants.find(one => one.name === name) ??
      missing(
        path,
        'constant',
        name,
        file.constants.map(one => one.name),
      )
    file.setConstant(constant, value)
  }
  undo.move()
  return file
}

const choosePrograms = (file: ObjectFile, names: readonly string[] | undefined): void => {
  if (names === undefined) return
  const known = file.programs.map(({ spec }) => spec.name)
  for (const name of names) if (!known.includes(name)) missing(file.path, 'program', name, known)
  for (const program of file.programs) program.setAutoload(names.includes(program.spec.name))
}

const mapOf = (file: ObjectFile, name: string): ObjectFile['maps'][number] =>
  file.maps.find(({ spec }) => spec.name === name) ??
  missing(
    file.path,
    'map',
    name,
    file.maps.map(({ spec }) => spec.name),
  )

const sizeMaps = (file: ObjectFile, sizes: Readonly<Record<string, number>>): void => {
  for (const [name, count] of Object.entries(sizes)) mapOf(file, name).setMaxEntries(count)
}

const reuseMaps = (file: ObjectFile, { reuse = {}, maxEntries = {} }: LoadOptions): void => {
  for (const [name, map] of Object.entries(reuse)) {
    const { type, keySize, valueSize, flags } = mapOf(file, name).spec
    const size = maxEntries[name]
    const expected = { type, keySize, valueSize, ...(flags === undefined ? {} : { flags }) }
    const where = `using an existing map for ${name} of ${basename(file.path)}`
    checkLayout(where, map.info, size === undefined ? expected : { ...expected, maxEntries: size })
    mapOf(file, name).reuse(map.fd.number)
  }
}

/** The kernel's objects get owners of their own: libbpf's descriptors close with the file. */
const adopt = (file: ObjectFile): LoadedObject => {
  using undo = new DisposableStack()
  const maps = file.maps.map(map => undo.use(new BpfMap(map.copyFd(), { name: map.spec.name })))
  const programs = file.programs
    .filter(program => program.autoload)
    .map(program => undo.use(new Program(program.copyFd(), { name: program.spec.name })))
  undo.move()
  return new LoadedObject(specOf(file), maps, programs)
}
