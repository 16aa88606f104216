import { EbpfError } from '../error.ts'
import type { MapSpec } from '../map-spec.ts'
import { VerifierError } from '../verifier-error.ts'
import type { AttachType, MapType, ProgramType } from './bpf-enum.ts'
import { errnoError } from './errno.ts'
import { Fd } from './fd.ts'
import { capturePrints, type Libbpf, libbpf, loadInThread, type Pointer } from './libbpf.ts'
import { Mapping } from './mapping.ts'
import { bytesAt, textOf } from './memory.ts'
import { type ConstantSpec, type ConstantValue, encodeConstant, readConstants } from './rodata.ts'
import { withoutProfiling } from './signals.ts'

/** A program of an object file: pure data. */
export interface ProgramSpec {
  readonly name: string
  /** `cgroup/connect4` and so on. */
  readonly section: string
  readonly type: ProgramType
  /** What it is made to be attached to; meaningless for types that are not. */
  readonly attachType: AttachType
}

/** The kernel takes no larger verifier log before 5.2; the pages cost nothing until they are written. */
const LOG_BYTES = (1 << 24) - 1

/** A map of an open file. */
export class FileMap {
  readonly spec: MapSpec
  readonly #lib = libbpf()
  readonly #map: Pointer

  constructor(map: Pointer) {
    const lib = this.#lib
    this.#map = map
    this.spec = {
      name: mapName(lib.mapName(map) ?? ''),
      type: lib.mapType(map) as MapType,
      keySize: lib.mapKeySize(map),
      valueSize: lib.mapValueSize(map),
      maxEntries: lib.mapMaxEntries(map),
      flags: lib.mapFlags(map),
    }
  }

  setMaxEntries(count: number): void {
    check(
      this.#lib.mapSetMaxEntries(this.#map, count),
      `setting the size of map ${this.spec.name} to ${count}`,
    )
  }

  /** The file keeps a copy of the descriptor. */
  reuse(fd: number): void {
    check(this.#lib.mapReuseFd(this.#map, fd), `using an existing map for ${this.spec.name}`)
  }

  copyFd(): Fd {
    return Fd.copyOf(this.#lib.mapFd(this.#map), `map ${this.spec.name}`)
  }

  /** The bytes that a global data map begins with; shared with libbpf. */
  initialValue(): Uint8Array {
    const size = new Uint8Array(8)
    const address = this.#lib.mapInitialValue(this.#map, size)
    if (address === null) throw new EbpfError('LOAD', `map ${this.spec.name} has no initial value`)
    return bytesAt(address, new DataView(size.buffer).getUint32(0, true))
  }
}

/** libbpf calls global data `<object>.rodata`, cut to 15 bytes; we call it by its section. */
const mapName = (name: string): string => {
  const dot = name.indexOf('.')
  return dot > 0 ? name.slice(dot) : name
}

/** A program of an open file. */
export class FileProgram {
  readonly spec: ProgramSpec
  readonly #lib = libbpf()
  readonly #program: Pointer

  constructor(program: Pointer) {
    const lib = this.#lib
    this.#program = program
    this.spec = {
      name: lib.programName(program) ?? '',
      section: lib.programSection(program) ?? '',
      type: lib.programType(program) as ProgramType,
      attachType: lib.programAttachType(program) as AttachType,
    }
  }

  get autoload(): boolean {
    return this.#lib.programAutoload(this.#program)
  }

  setAutoload(on: boolean): void {
    check(this.#lib.programSetAutoload(this.#program, on), `choosing program ${this.spec.name}`)
  }

  /** Where the verifier writes its log if it refuses the program. */
  setLog(address: number, length: number): void {
    check(
      this.#lib.programSetLog(this.#program, address, length),
      `program ${this.spec.name}: setting its log`,
    )
  }

  copyFd(): Fd {
    return Fd.copyOf(this.#lib.programFd(this.#program), `program ${this.spec.name}`)
  }
}

/** An object file open in libbpf, before and after loading. Its end closes libbpf's descriptors. */
export class ObjectFile implements Disposable {
  readonly path: string
  readonly maps: readonly FileMap[]
  readonly programs: readonly FileProgram[]
  readonly constants: readonly ConstantSpec[]
  readonly #lib: Libbpf
  #object: Pointer

  /** Throws LOAD, LIBBPF. */
  constructor(path: string) {
    const lines: string[] = []
    this.path = path
    this.#lib = libbpf()
    this.#object = capturePrints(lines, lib => lib.openFile(path, null))
    if (this.#object === null) throw loadError(`opening ${path}`, lines)
    const [lib, object] = [this.#lib, this.#object]
    this.maps = [...walk(after => lib.nextMap(object, after))].map(map => new FileMap(map))
    this.programs = [...walk(after => lib.nextProgram(object, after))].map(one => new FileProgram(one))
    this.constants = readConstants(lib, lib.objectBtf(object))
  }

  /** Throws INVALID when the value does not fit. */
  setConstant(constant: ConstantSpec, value: ConstantValue): void {
    const rodata = this.maps.find(({ spec }) => spec.name === '.rodata')
    if (rodata === undefined) throw new EbpfError('LOAD', `${this.path} has no .rodata`)
    rodata.initialValue().set(encodeConstant(constant, value), constant.offset)
  }

  /** Throws VerifierError, PERMISSION, LOAD. */
  load(): void {
    const wanted = this.#wanted()
    using memory = logsOf(wanted)
    const lines: string[] = []
    const result = withoutProfiling(() => capturePrints(lines, lib => lib.load(this.#object)))
    if (result >= 0) return
    for (const [index, program] of wanted.entries()) {
      const log = textOf(memory.view(index * LOG_BYTES, LOG_BYTES))
      if (log !== '') throw new VerifierError(program.spec.name, log, errnoError(-result, 'BPF_PROG_LOAD'))
    }
    throw loadError(`loading ${this.path}`, lines, -result)
  }

  /** The same in another thread. false: it has failed, and `load` of another such file can tell why. */
  async loadInThread(): Promise<boolean> {
    return (await loadInThread(this.#object)) >= 0
  }

  #wanted(): FileProgram[] {
    return this.programs.filter(program => program.autoload)
  }

  [Symbol.dispose](): void {
    if (this.#object !== null) this.#lib.close(this.#object)
    this.#object = null
  }
}

/** Room for what the verifier says of each program. */
const logsOf = (programs: readonly FileProgram[]): Mapping => {
  const memory = Mapping.reserve(LOG_BYTES * Math.max(1, programs.length))
  for (const [index, program] of programs.entries())
    program.setLog(memory.address + index * LOG_BYTES, LOG_BYTES)
  return memory
}

const walk = function* (next: (after: Pointer) => Pointer): Generator<Pointer> {
  for (let one = next(null); one !== null; one = next(one)) yield one
}

const check = (result: number, what: string): void => {
  if (result < 0) throw errnoError(-result, what)
}

const loadError = (what: string, lines: readonly string[], errno?: number): EbpfError => {
  const said = lines.map(line => line.replace(/^libbpf: /, '')).join('; ')
  if (errno === undefined) return new EbpfError('LOAD', `${what}: ${said}`)
  const cause = errnoError(errno, 'libbpf')
  const code = cause.code === 'PERMISSION' ? 'PERMISSION' : 'LOAD'
  const hint = code === 'PERMISSION' ? ' (CAP_BPF and CAP_NET_ADMIN are needed)' : ''
  return new EbpfError(code, `${what}: ${said}${hint}`, {
    cause,
    ...(cause.errno ? { errno: cause.errno } : {}),
  })
}
