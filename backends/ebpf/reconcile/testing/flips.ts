import { formatIP } from '@kpng/api'
import { openProgramById } from '@kpng/ebpf'
import { Reason } from '../../bindings.gen.ts'
import { ask } from '../../bpf/testing/ask.ts'

/** A frontend of the Service whose lists flip. */
export interface Asked {
  readonly address: string
  readonly port: number
  /** Which list it leads to: what has been seen there once is never older again. */
  readonly list: number
}

export interface WatchOrder {
  readonly programId: number
  readonly frontends: readonly Asked[]
  readonly shared: Int32Array
}

/** In the shared memory. */
export const Shared = { finished: 0, started: 1, stop: 2, LENGTH: 3 } as const

export interface Seen {
  readonly picks: number
  /** Picks of the epoch before the one that had begun when they were asked for. */
  readonly old: number
  readonly empty: number
  readonly wrong: readonly string[]
}

/** Epochs in which the lists are empty. */
const isEmptyEpoch = (epoch: number): boolean => epoch % 16 === 0

/** An epoch's endpoints tell which it is: by their addresses. */
export const endpointsOf = (epoch: number): string[] =>
  isEmptyEpoch(epoch)
    ? []
    : Array.from({ length: 1 + (epoch % 7) }, (_, n) => [
        `10.${64 + (epoch >> 16)}.${(epoch >> 8) & 255}.${epoch & 255}:${1000 + n}`,
        `[fd01::${(epoch >> 16).toString(16)}:${(epoch & 0xffff).toString(16)}]:${1000 + n}`,
      ]).flat()

const epochOf = (address: Uint8Array): number => {
  const text = formatIP(address)
  if (text.includes('.')) {
    const [, high = 0, middle = 0, low = 0] = text.split('.').map(Number)
    return ((high - 64) << 16) | (middle << 8) | low
  }
  return new DataView(address.buffer, address.byteOffset).getUint32(12)
}

/** In a worker: asks the programs for one frontend after the other, until told to stop. */
export function watch({ programId, frontends, shared }: WatchOrder): Seen {
  using program = openProgramById(programId)
  const newest = new Map<number, number>()
  const wrong: string[] = []
  let [picks, old, empty] = [0, 0, 0]
  while (Atomics.load(shared, Shared.stop) === 0 && wrong.length < 10) {
    for (const { address, port, list } of frontends) {
      const from = Atomics.load(shared, Shared.finished)
      const begun = Atomics.load(shared, Shared.started)
      const answer = ask(program, address, port)
      const to = Atomics.load(shared, Shared.started)
      const at = `${address}#${port}, epoch ${from} to ${to}`
      picks++
      if (answer.reason === Reason.NO_ENDPOINTS) {
        empty++
        const first = Math.ceil(from / 16) * 16
        if (first > to) wrong.push(`${at}: empty`)
        continue
      }
      if (answer.reason !== Reason.TRANSLATED) {
        wrong.push(`${at}: reason ${answer.reason}`)
        continue
      }
      const epoch = epochOf(answer.backendAddr)
      if (epoch < begun) old++
      if (epoch < from || epoch > to) wrong.push(`${at}: a backend of epoch ${epoch}`)
      if (answer.backendPort - 1000 > epoch % 7) wrong.push(`${at}: a backend that epoch ${epoch} has not`)
      const before = newest.get(list) ?? 0
      if (epoch < before) wrong.push(`${at}: epoch ${epoch} after ${before} at another frontend`)
      newest.set(list, Math.max(before, epoch))
    }
  }
  return { picks, old, empty, wrong }
}
