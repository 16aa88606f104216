import { EbpfError } from './error.ts'

/** A program that the verifier refused: two lines in the message, the whole log in `log`. */
export class VerifierError extends EbpfError {
  override readonly name = 'VerifierError'
  readonly program: string
  readonly log: string

  constructor(program: string, log: string, cause: EbpfError) {
    super('VERIFIER', `the verifier refuses program ${program}: ${summarize(log)}`, {
      cause,
      ...(cause.errno === undefined ? {} : { errno: cause.errno }),
    })
    this.program = program
    this.log = log
  }
}

/** `12: (61) r0 = *(u32 *)(r1 +0)` with or without the state that follows. */
const instruction = /^\d+: \([0-9a-f]{2}\) /
/** Numbers at the end of each log, and what is said about states and stacks, are not the reason. */
const statistics =
  /^(processed \d+ insns|verification time|stack depth|insns processed|BPF|max_states|peak_states)/
const state = /^(\d+: R\d|from \d+ to \d+|\s*R\d+(_[a-z]+)?=)/

/** Two lines out of a verifier log: why, and at which instruction of which source line. */
export const summarize = (log: string): string => {
  const lines = log.split('\n').map(line => line.trimEnd())
  const reasonAt = lines.findLastIndex(
    line =>
      line !== '' &&
      !statistics.test(line) &&
      !instruction.test(line) &&
      !state.test(line) &&
      line[0] !== ';',
  )
  if (reasonAt < 0) return lines.find(line => line !== '') ?? 'it said nothing'
  const before = lines.slice(0, reasonAt)
  const at = before.findLast(line => instruction.test(line))?.replace(/\s*;.*$/, '')
  const source = before
    .findLast(line => line.startsWith('; '))
    ?.slice(2)
    .trim()
  const where = [at, source].filter(part => part !== undefined).join('  // ')
  return where === '' ? `${lines[reasonAt]}` : `${lines[reasonAt]}\n  at ${where}`
}
