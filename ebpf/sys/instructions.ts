import { bpf } from './bpf.ts'
import { AttachType, Command, type ProgramType } from './bpf-enum.ts'
import { progLoadAttr } from './bpf-layout.ts'
import { Fd } from './fd.ts'
import { cString, textOf } from './memory.ts'
import { Struct } from './struct.ts'

/** One instruction: opcode, destination register, immediate value (linux/bpf.h, struct bpf_insn). */
export type Instruction = readonly [opcode: number, register: number, immediate: number]

export const setRegister = (register: number, value: number): Instruction => [0xb7, register, value]
export const callHelper = (helper: number): Instruction => [0x85, 0, helper]
export const exitProgram: Instruction = [0x95, 0, 0]

const encode = (instructions: readonly Instruction[]): Uint8Array => {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [index, [opcode, register, immediate]] of instructions.entries()) {
    view.setUint8(index * 8, opcode)
    view.setUint8(index * 8 + 1, register)
    view.setInt32(index * 8 + 4, immediate, true)
  }
  return bytes
}

const LOG_BYTES = 64 * 1024

export interface LoadResult {
  /** 0 when the kernel takes the program. */
  readonly errno: number
  readonly log: string
}

/** Loads a program and drops it: what would the kernel say? */
export const tryLoad = (
  type: ProgramType,
  instructions: readonly Instruction[],
  attachType: AttachType = AttachType.CGROUP_INET_INGRESS,
): LoadResult => {
  const log = new Uint8Array(LOG_BYTES)
  const attr = new Struct(progLoadAttr, {
    prog_type: type,
    insns: encode(instructions),
    insn_cnt: instructions.length,
    license: cString('Dual BSD/GPL'),
    log_level: 1,
    log_size: log.length,
    log_buf: log,
    expected_attach_type: attachType,
  })
  const result = bpf(Command.PROG_LOAD, attr)
  if (result < 0) return { errno: -result, log: textOf(log) }
  using _ = new Fd(result, 'a program that is tried out')
  return { errno: 0, log: '' }
}
