import koffi, { type KoffiFunc } from 'koffi'
import { EbpfError } from '../error.ts'

/** An address in libbpf's memory; null = none. Never kept beyond one call of this package. */
export type Pointer = bigint | null

/** The functions of libbpf that this package uses, as C declares them. */
const declarations = {
  major: 'uint32_t libbpf_major_version()',
  minor: 'uint32_t libbpf_minor_version()',
  setPrint: 'void *libbpf_set_print(void *print)',
  openFile: 'void *bpf_object__open_file(const char *path, void *options)',
  load: 'int bpf_object__load(void *object)',
  close: 'void bpf_object__close(void *object)',
  objectBtf: 'void *bpf_object__btf(void *object)',
  nextMap: 'void *bpf_object__next_map(void *object, void *map)',
  mapName: 'const char *bpf_map__name(void *map)',
  mapType: 'uint32_t bpf_map__type(void *map)',
  mapKeySize: 'uint32_t bpf_map__key_size(void *map)',
  mapValueSize: 'uint32_t bpf_map__value_size(void *map)',
  mapMaxEntries: 'uint32_t bpf_map__max_entries(void *map)',
  mapFlags: 'uint32_t bpf_map__map_flags(void *map)',
  mapSetMaxEntries: 'int bpf_map__set_max_entries(void *map, uint32_t count)',
  mapSetAutocreate: 'int bpf_map__set_autocreate(void *map, bool on)',
  mapReuseFd: 'int bpf_map__reuse_fd(void *map, int fd)',
  mapFd: 'int bpf_map__fd(void *map)',
  mapInitialValue: 'void *bpf_map__initial_value(void *map, size_t *size)',
  nextProgram: 'void *bpf_object__next_program(void *object, void *program)',
  programName: 'const char *bpf_program__name(void *program)',
  programSection: 'const char *bpf_program__section_name(void *program)',
  programType: 'uint32_t bpf_program__type(void *program)',
  programAttachType: 'uint32_t bpf_program__expected_attach_type(void *program)',
  programAutoload: 'bool bpf_program__autoload(void *program)',
  programSetAutoload: 'int bpf_program__set_autoload(void *program, bool on)',
  programSetLog: 'int bpf_program__set_log_buf(void *program, void *log, size_t size)',
  programFd: 'int bpf_program__fd(void *program)',
  btfFind: 'int32_t btf__find_by_name_kind(void *btf, const char *name, uint32_t kind)',
  btfType: 'void *btf__type_by_id(void *btf, uint32_t id)',
  btfName: 'const char *btf__name_by_offset(void *btf, uint32_t offset)',
  btfSize: 'int64_t btf__resolve_size(void *btf, uint32_t id)',
} as const

type Returns<D extends string> = D extends `const char *${string}`
  ? string | null
  : D extends `void *${string}`
    ? Pointer
    : D extends `void ${string}`
      ? undefined
      : D extends `bool ${string}`
        ? boolean
        : number

type Argument = string | number | boolean | Pointer | Uint8Array

export type Libbpf = {
  readonly [F in keyof typeof declarations]: (...args: Argument[]) => Returns<(typeof declarations)[F]>
}

const NAME = 'libbpf.so.1'
const LEAST = [1, 1] as const

/** dlopen of libbpf with all symbols and the version checked. Throws LIBBPF. For tests; else use `libbpf`. */
export const openLibbpf = (name = NAME): Libbpf => {
  const library = attempt(() => koffi.load(name), `${name} cannot be opened`)
  const functions = Object.entries(declarations).map(([key, declaration]) => [
    key,
    attempt(() => library.func(declaration), `${name} lacks a function`),
  ])
  const found = Object.fromEntries(functions) as Libbpf
  requireVersion(name, found.major(), found.minor())
  return found
}

/** Throws LIBBPF for a version that is too old, or of another major number: its functions may differ. */
export const requireVersion = (name: string, major: number, minor: number): void => {
  if (major === LEAST[0] && minor >= LEAST[1]) return
  const least = `${LEAST.join('.')} or a later 1.x is needed`
  throw new EbpfError('LIBBPF', `${name} is version ${major}.${minor}: ${least}`)
}

const attempt = <T>(run: () => T, failed: string): T => {
  try {
    return run()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new EbpfError('LIBBPF', `${failed}: ${reason} (Debian: apt install libbpf1, 1.1 or later)`, {
      cause,
    })
  }
}

let opened: Libbpf | undefined

/** libbpf, opened on first use: it takes 10 ms. */
export const libbpf = (): Libbpf => {
  if (opened === undefined) {
    opened = openLibbpf()
    opened.setPrint(null) // else it prints to stderr
  }
  return opened
}

/** `1.1`. Throws LIBBPF when there is none that serves. */
export const libbpfVersion = (): string => `${libbpf().major()}.${libbpf().minor()}`

const vsnprintf = koffi
  .load(null)
  .func('int vsnprintf(void *into, size_t size, void *format, void *arguments)')
const printType = koffi.pointer(koffi.proto('int (int level, void *format, void *arguments)'))
const LEVEL_INFO = 1

let loads = 0

/**
 * bpf_object__load in a thread of libuv's pool: loading takes tenths of a second. Gives 0 or a negative errno. What
 * libbpf has to say is lost: its printer would be called in that thread.
 */
export const loadInThread = async (object: Pointer): Promise<number> => {
  const load = libbpf().load as unknown as KoffiFunc<(object: Pointer) => number>
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  loads++
  try {
    load.async(object, (error: unknown, result: number) => (error ? reject(error) : resolve(result)))
    return await promise
  } finally {
    loads--
  }
}

/**
 * What libbpf prints (warnings and infos, no debugging) while `run` runs goes to `lines`, never to stderr. The
 * printer belongs to the whole process: nothing is heard while another thread loads an object.
 */
export const capturePrints = <T>(lines: string[], run: (lib: Libbpf) => T): T => {
  const lib = libbpf()
  if (loads > 0) return run(lib)
  const text = Buffer.alloc(4096)
  const print = (level: number, format: Pointer, args: Pointer): number => {
    if (level > LEVEL_INFO) return 0
    // A va_list is passed by reference on both machines.
    const length = Math.min(vsnprintf(text, text.length, format, args), text.length - 1)
    lines.push(text.toString('utf8', 0, length).trimEnd())
    return 0
  }
  const callback = koffi.register(print, printType)
  lib.setPrint(callback)
  try {
    return run(lib)
  } finally {
    lib.setPrint(null)
    koffi.unregister(callback)
  }
}
