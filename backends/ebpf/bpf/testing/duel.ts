import { Worker } from 'node:worker_threads'
import { openProgramById, type Program } from '@kpng/ebpf'
import { ask } from './ask.ts'

export interface DuelOrder {
  readonly programId: number
  readonly vip: string
  readonly port: number
  readonly rounds: number
  /** How far each side is: the main thread's round, the worker's. */
  readonly progress: Int32Array
  /** The worker's answers: backend ids. */
  readonly answers: Int32Array
}

/** Two threads ask for the same new client at the same time, once a round. Gives both sides' backend ids. */
export async function duel(
  program: Program,
  vip: string,
  port: number,
  rounds: number,
): Promise<{ ours: number[]; theirs: number[] }> {
  const order: DuelOrder = {
    programId: program.id,
    vip,
    port,
    rounds,
    progress: new Int32Array(new SharedArrayBuffer(8)),
    answers: new Int32Array(new SharedArrayBuffer(4 * rounds)),
  }
  const worker = new Worker(new URL('./duel-worker.ts', import.meta.url), { workerData: order })
  const ended = new Promise<void>((resolve, reject) =>
    worker.once('exit', () => resolve()).once('error', reject),
  )
  await Promise.race([new Promise(resolve => worker.once('message', resolve)), ended])
  const ours = side(program, order, 0)
  await ended
  return { ours, theirs: [...order.answers] }
}

/** In the worker. */
export function secondDuellist(order: DuelOrder, ready: () => void): void {
  using program = openProgramById(order.programId)
  ready()
  order.answers.set(side(program, order, 1))
}

/** Between looks at the clock. */
const SPINS = 1_000_000
/** A machine with other things to do leaves one side without a CPU for a while. */
const PATIENCE_MS = 20_000

function side(program: Program, { vip, port, rounds, progress }: DuelOrder, me: 0 | 1): number[] {
  return Array.from({ length: rounds }, (_, round) => {
    Atomics.store(progress, me, round + 1)
    const deadline = performance.now() + PATIENCE_MS
    let spins = 0
    while (Atomics.load(progress, 1 - me) < round + 1)
      if (++spins % SPINS === 0 && performance.now() > deadline)
        throw new Error(`the other side stays in round ${round}`)
    return ask(program, vip, port, { client: BigInt(round + 1) }).backend
  })
}
