import { openPinned, pinObject } from './pin.ts'
import { bpf, objectInfo } from './sys/bpf.ts'
import { Command, type ProgramType } from './sys/bpf-enum.ts'
import { getIdAttr, progInfo, testRunAttr } from './sys/bpf-layout.ts'
import { errnoError } from './sys/errno.ts'
import { Fd } from './sys/fd.ts'
import { textOf } from './sys/memory.ts'
import { Struct } from './sys/struct.ts'

/** What the kernel says about a program. */
export interface ProgramInfo {
  readonly id: number
  /** At most 15 bytes of the function's name. */
  readonly name: string
  readonly type: ProgramType
  /** A hash of the instructions, 16 hex digits: the same for the same program text. */
  readonly tag: string
  readonly mapIds: readonly number[]
  readonly loadedAtNs: bigint
  readonly instructions: number
  /** 0 before 5.16. */
  readonly verifiedInstructions: number
  readonly btfId: number
}

/** How often and how long a program has run while statistics were on (`enableStats`). */
export interface RunStats {
  readonly runs: bigint
  readonly timeNs: bigint
}

export interface TestRun {
  /** The packet or other input. */
  readonly data?: Uint8Array
  /** Room for the data afterwards, in bytes; by default that of `data` and 256 more. */
  readonly dataOutSize?: number
  readonly context?: Uint8Array
  /** How often it is run; 1 by default. */
  readonly repeat?: number
  readonly flags?: number
}

export interface TestRunResult {
  readonly retval: number
  readonly data: Uint8Array
  readonly context: Uint8Array
  /** Of one run, on average. */
  readonly durationNs: number
}

/** A program in the kernel: owns its descriptor. */
export class Program implements Disposable {
  readonly fd: Fd
  /** The whole name where it is known, else that of the kernel. */
  readonly name: string
  readonly id: number

  /** Takes over the descriptor, also when it throws. */
  constructor(fd: Fd, options: { readonly name?: string } = {}) {
    this.fd = fd
    try {
      const info = readInfo(fd)
      this.id = info.u32('id')
      this.name = options.name ?? textOf(info.slice('name'))
    } catch (error) {
      fd[Symbol.dispose]()
      throw error
    }
  }

  info(): ProgramInfo {
    const count = readInfo(this.fd).u32('nr_map_ids')
    const ids = new Uint8Array(count * 4)
    const info = readInfo(this.fd, ids)
    const view = new DataView(ids.buffer)
    return {
      id: this.id,
      name: textOf(info.slice('name')),
      type: info.u32('type') as ProgramType,
      tag: Buffer.from(info.slice('tag')).toString('hex'),
      mapIds: Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true)),
      loadedAtNs: info.u64('load_time'),
      instructions: info.u32('xlated_prog_len') / 8,
      verifiedInstructions: info.u32('verified_insns'),
      btfId: info.u32('btf_id'),
    }
  }

  stats(): RunStats {
    const info = readInfo(this.fd)
    return { runs: info.u64('run_cnt'), timeNs: info.u64('run_time_ns') }
  }

  /** BPF_PROG_TEST_RUN. Throws UNSUPPORTED for types that cannot be run so (cgroup hooks). */
  testRun(run: TestRun = {}): TestRunResult {
    const data = run.data ?? new Uint8Array(0)
    const out = new Uint8Array(run.dataOutSize ?? (data.length === 0 ? 0 : data.length + 256))
    const context = new Uint8Array(run.context?.length ?? 0)
    const attr = new Struct(testRunAttr, {
      prog_fd: this.fd.number,
      flags: run.flags ?? 0,
      repeat: run.repeat ?? (data.length === 0 ? 0 : 1),
      ...(data.length > 0 ? { data_in: data, data_size_in: data.length } : {}),
      ...(out.length > 0 ? { data_out: out, data_size_out: out.length } : {}),
      ...(run.context ? { ctx_in: run.context, ctx_size_in: context.length } : {}),
      ...(run.context ? { ctx_out: context, ctx_size_out: context.length } : {}),
    })
    const result = bpf(Command.PROG_TEST_RUN, attr)
    if (result < 0) throw errnoError(-result, `running program ${this.name}`)
    return {
      retval: attr.u32('retval') | 0,
      data: out.subarray(0, attr.u32('data_size_out')),
      context: context.subarray(0, attr.u32('ctx_size_out')),
      durationNs: attr.u32('duration'),
    }
  }

  /** Throws EXISTS when something is there. */
  pin(path: string): void {
    pinObject(this.fd, path)
  }

  [Symbol.dispose](): void {
    this.fd[Symbol.dispose]()
  }
}

const readInfo = (fd: Fd, mapIds?: Uint8Array): Struct<keyof typeof progInfo.fields> =>
  objectInfo(fd.number, progInfo, fd.what, info => {
    if (mapIds === undefined || mapIds.length === 0) return
    info.set('nr_map_ids', mapIds.length / 4)
    info.set('map_ids', mapIds)
  })

/** Throws NOT_FOUND; LAYOUT when something else is pinned there. */
export const openPinnedProgram = (path: string): Program => new Program(openPinned(path, 'program'))

/** Throws NOT_FOUND. */
export const openProgramById = (id: number): Program => {
  const attr = new Struct(getIdAttr, { start_id: id })
  return new Program(Fd.from(bpf(Command.PROG_GET_FD_BY_ID, attr), `program ${id}`, `opening program ${id}`))
}
