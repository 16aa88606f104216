import { join } from 'node:path'
import { attachIter, type BpfMap, type Link, loadObject, possibleCpus, readIter, u32 } from '@kpng/ebpf'

export type PerCpuCount = 'service_count' | 'reason_count'

/**
 * Takes what a map of counters per CPU has counted and adds it to the entries of the same index in another, while
 * programs count on in both: see count_iter.bpf.c.
 */
export class PerCpuCounts implements Disposable {
  readonly #link: Link

  constructor(objectDirectory: string, name: PerCpuCount, before: BpfMap, now: BpfMap) {
    const program = `move_${name}`
    using object = loadObject(join(objectDirectory, 'count_iter.bpf.o'), {
      programs: [program],
      reuse: { [name]: now, [`${name}_before`]: before },
      constants: { possible_cpus: possibleCpus() },
    })
    // The link keeps the program and its maps.
    this.#link = attachIter({ program: object.program(program), map: before })
  }

  /** What does not fit into a smaller map stays where it is. */
  move(): void {
    // To read its rows is to run it; they say how far it is.
    for (const _ of readIter(this.#link, u32));
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]()
  }
}
