import { type Block, BuddyAllocator } from './buddy.ts'

export interface Moves {
  /** Blocks to empty, with where each goes. */
  readonly moves: readonly { readonly from: number; readonly to: Block }[]
  /** Free blocks between them, to hold until they have gone. */
  readonly gaps: readonly Block[]
}

/** So many places are tried, those with the least to move first: bounds the search in a map full of lists. */
const MAX_CANDIDATES = 16

/**
 * Which blocks to move, and where to, so that a block of `order` becomes free: the aligned place in which the
 * fewest slots are in use. undefined when no place can be emptied.
 */
export function planMoves(
  ranges: BuddyAllocator,
  order: number,
  isMovable: (base: number) => boolean,
): Moves | undefined {
  const size = 2 ** order
  const blocks = [...ranges.blocks()].sort((a, b) => a.base - b.base)
  if (ranges.capacity - ranges.used < size) return undefined
  const places = new Map<number, Block[]>()
  const fixed = new Set<number>()
  for (const block of blocks) {
    const place = Math.floor(block.base / size)
    if (block.order >= order || !isMovable(block.base)) fixed.add(place)
    const inside = places.get(place)
    if (inside === undefined) places.set(place, [block])
    else inside.push(block)
  }
  const candidates = [...places]
    .filter(([place]) => !fixed.has(place) && (place + 1) * size <= ranges.capacity)
    .map(([place, inside]) => ({
      place,
      inside,
      used: inside.reduce((sum, block) => sum + 2 ** block.order, 0),
    }))
    .sort((a, b) => a.used - b.used || a.place - b.place)
  for (const { place, inside } of candidates.slice(0, MAX_CANDIDATES)) {
    const moves = moveOut(ranges.capacity, blocks, inside, place * size, order)
    if (moves !== undefined) return { moves, gaps: gapsBetween(inside, place * size, size) }
  }
  return undefined
}

/** Finds room outside of the place for each block inside, the largest first. */
function moveOut(
  capacity: number,
  blocks: readonly Block[],
  inside: readonly Block[],
  base: number,
  order: number,
): Moves['moves'] | undefined {
  const trial = new BuddyAllocator(capacity)
  const leaving = new Set(inside.map(block => block.base))
  trial.reserve(base, order)
  for (const block of blocks) if (!leaving.has(block.base)) trial.reserve(block.base, block.order)
  const moves: { from: number; to: Block }[] = []
  for (const block of inside.toSorted((a, b) => b.order - a.order || a.base - b.base)) {
    const to = trial.allocate(2 ** block.order)
    if (to === undefined) return undefined
    moves.push({ from: block.base, to })
  }
  return moves
}

/** The free blocks inside the place, as large as alignment allows. */
function gapsBetween(inside: readonly Block[], base: number, size: number): Block[] {
  const gaps: Block[] = []
  const fill = (from: number, to: number): void => {
    for (let at = from; at < to; ) {
      let order = 0
      while (at % 2 ** (order + 1) === 0 && at + 2 ** (order + 1) <= to) order++
      gaps.push({ base: at, order })
      at += 2 ** order
    }
  }
  let at = base
  for (const block of inside) {
    fill(at, block.base)
    at = block.base + 2 ** block.order
  }
  fill(at, base + size)
  return gaps
}
