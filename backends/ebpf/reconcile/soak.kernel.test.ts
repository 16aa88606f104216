import { describe, it } from 'node:test'
import { failOnLeakedFds } from '@kpng/ebpf/testing'
import { KernelDatapath } from './testing/kernel-datapath.ts'
import { soak, TIGHT, WIDE } from './testing/soak.ts'

failOnLeakedFds()

/** `make proof` runs 100,000 changes, here it is a part of them. */
const changes = process.env.KPNG_PROOF === '1' ? 25_000 : 250

describe('the same in the kernel: its maps are the oracle’s, and its programs pick what they say', () => {
  for (const faults of [0, 0.1]) {
    for (const [name, sizes, ids] of [
      ['room', WIDE, 500],
      ['too little room', TIGHT, 14],
    ] as const) {
      it(`with ${name}, ${faults * 100} % of operations failing`, { timeout: 3_600_000 }, async t => {
        await soak(t, { changes, sizes, ids, faults, datapath: new KernelDatapath(sizes) })
      })
    }
  }
})
