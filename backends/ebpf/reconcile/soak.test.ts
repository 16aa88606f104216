import { describe, it } from 'node:test'
import { type SoakOptions, soak, TIGHT, WIDE } from './testing/soak.ts'

/** `make proof` runs 100,000 changes, here it is a part of them. */
const changes = process.env.KPNG_PROOF === '1' ? 25_000 : 300

const cases: Readonly<Record<string, Omit<SoakOptions, 'changes'>>> = {
  'with room': { sizes: WIDE, ids: 500, faults: 0 },
  'with room and one operation in ten failing': { sizes: WIDE, ids: 500, faults: 0.1 },
  'with room and one operation in five failing': { sizes: WIDE, ids: 500, faults: 0.2 },
  'with too little room': { sizes: TIGHT, ids: 14, faults: 0 },
  'with too little room and one operation in ten failing': { sizes: TIGHT, ids: 14, faults: 0.1 },
  'with too little room and one operation in five failing': { sizes: TIGHT, ids: 14, faults: 0.2 },
}

describe('whatever changes, while agents are killed, the maps come to what the oracle says', () => {
  for (const [name, options] of Object.entries(cases))
    it(name, { timeout: 3_600_000 }, async t => void (await soak(t, { ...options, changes })))
})
