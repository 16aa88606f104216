export type Random = (below: number) => number

/** Mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** KPNG_SEED, or one of its own. */
export const seedOfRun = (): number => Number(process.env.KPNG_SEED ?? Math.floor(Math.random() * 2 ** 31))
