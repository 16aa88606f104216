import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Program } from '@kpng/ebpf'

export interface AskOrder {
  readonly programId: number
  readonly vip: string
  readonly port: number
  readonly times: number
}

/** Another thread asks and counts each time, from when this resolves; `ended` resolves when it is done. */
export async function askBeside(
  program: Program,
  order: Omit<AskOrder, 'programId'>,
): Promise<{ readonly ended: Promise<unknown> }> {
  const workerData: AskOrder = { ...order, programId: program.id }
  const worker = new Worker(new URL('./ask-worker.ts', import.meta.url), { workerData })
  const ended = once(worker, 'exit')
  await Promise.race([once(worker, 'message'), ended])
  return { ended }
}
