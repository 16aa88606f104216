import type { Family } from '@kpng/api'
import type { MemoryMap } from '@kpng/ebpf'
import type { Backend4, Backend6, ListEntry } from '../bindings.gen.ts'
import { BitSet } from '../plan/bit-set.ts'
import { type Block, BuddyAllocator, orderOf } from '../plan/buddy.ts'
import { planMoves } from '../plan/moves.ts'
import type { ListKind } from '../plan/service-plan.ts'
import type { DatapathMaps } from './maps.ts'
import type { Retirement } from './retirement.ts'
import { backend4Of, backend6Of, listWord, NO_BACKEND4, NO_BACKEND6, type Slot, sameBackend } from './rows.ts'
import type { ListState, PortState } from './state.ts'

/** A list to write and put in force. */
export interface ListJob {
  readonly list: ListState
  /** Ascending by id. */
  readonly slots: readonly Slot[]
  /** First slot of the new range; the enum reason when there are no slots. */
  readonly base: number
  readonly failed: (error: unknown) => void
}

/** Rows one write call: bounds how long it holds the event loop. */
const MAX_RUN_ROWS = 4096
const RESOURCE = { IPv4: 'backend4', IPv6: 'backend6' } as const

export const rangeResource = (family: Family): 'backend4' | 'backend6' => RESOURCE[family]

/** The maps list, backend4 and backend6: which list is where, and what is in force. */
export class ListTable {
  readonly lists = new Map<number, ListState>()
  readonly ranges: { readonly [F in Family]: BuddyAllocator }
  readonly #maps: Pick<DatapathMaps, 'list' | 'backend4' | 'backend6'>
  readonly #retirement: Retirement
  readonly #freeIndexes: BitSet
  /** Smallest order for which moving lists was found not to help; forgotten when a range is freed. */
  readonly #hopeless: { [F in Family]: number } = {
    IPv4: Number.POSITIVE_INFINITY,
    IPv6: Number.POSITIVE_INFINITY,
  }
  flips = 0
  moves = 0

  constructor(maps: Pick<DatapathMaps, 'list' | 'backend4' | 'backend6'>, retirement: Retirement) {
    this.#maps = maps
    this.#retirement = retirement
    this.#freeIndexes = new BitSet(maps.list.maxEntries)
    // Index 0 is never used: a zeroed frontend leads nowhere.
    for (let index = 1; index < maps.list.maxEntries; index++) this.#freeIndexes.add(index)
    this.ranges = {
      IPv4: new BuddyAllocator(maps.backend4.maxEntries),
      IPv6: new BuddyAllocator(maps.backend6.maxEntries),
    }
  }

  /** A new index with nothing in force; undefined when all are taken. */
  create(port: PortState, family: Family, kind: ListKind): ListState | undefined {
    const index = this.#freeIndexes.first()
    if (index === undefined) return undefined
    const list: ListState = { ...EMPTY, index, port, family, kind }
    this.#freeIndexes.delete(index)
    this.lists.set(index, list)
    port.lists.push(list)
    return list
  }

  /** Takes over a list of a former life. false when the index or its range is not free. */
  adopt(list: ListState): boolean {
    if (!this.#freeIndexes.has(list.index)) return false
    if (list.ids.length > 0 && !this.ranges[list.family].reserve(list.base, orderOf(list.ids.length)))
      return false
    this.#freeIndexes.delete(list.index)
    this.lists.set(list.index, list)
    list.port?.lists.push(list)
    return true
  }

  /** An index that is not empty, though nobody leads there. */
  adoptOrphan(index: number): void {
    if (!this.#freeIndexes.has(index)) return
    this.#freeIndexes.delete(index)
    this.#retireIndex(index)
  }

  /** Of nobody, and not about to be: its word must be zero. */
  isFree(index: number): boolean {
    return index === 0 || this.#freeIndexes.has(index)
  }

  /** A range for count slots of a list; undefined when there is none. */
  allocate(family: Family, count: number): Block | undefined {
    return this.ranges[family].allocate(count)
  }

  /** Gives back a range that no program has ever seen. */
  dropPending(list: ListState): void {
    if (list.pending === undefined) return
    this.#freeRange(list.family, list.pending.base)
    list.pending = undefined
  }

  /** Puts right what verification found instead of the word that we wrote. */
  restore(list: ListState, word: bigint): void {
    this.#maps.list.store64(list.index, word)
  }

  /**
   * The same for its rows, where they are: there may be no room for it elsewhere. Who reads meanwhile gets the wrong
   * row, or the right one. Gives whether there was one.
   */
  restoreRows(list: ListState, members: readonly (Slot | undefined)[]): boolean {
    const { backend4, backend6 } = this.#maps
    return list.family === 'IPv4'
      ? restoreRowsOf(backend4, list, members, backend4Of)
      : restoreRowsOf(backend6, list, members, backend6Of)
  }

  /** Nobody leads to the list any more: its index and range are free after a grace period. */
  retire(list: ListState): void {
    this.lists.delete(list.index)
    const owned = list.port?.lists
    if (owned?.includes(list)) owned.splice(owned.indexOf(list), 1)
    this.dropPending(list)
    if (list.ids.length > 0) this.#retireRange(list.family, list.base)
    this.#retireIndex(list.index)
  }

  /**
   * Moves the smallest lists out of the way of one with `count` slots, which fits after the next grace period.
   * undefined when that is not possible.
   */
  makeRoom(
    family: Family,
    count: number,
    failed: (list: ListState, error: unknown) => void,
  ): ListJob[] | undefined {
    const order = orderOf(count)
    if (order >= this.#hopeless[family]) return undefined
    const movable = new Map<number, ListState>()
    for (const list of this.lists.values()) {
      if (list.family !== family || list.ids.length === 0 || list.port === undefined) continue
      if (list.inForce && !list.stale && list.pending === undefined) movable.set(list.base, list)
    }
    const plan = planMoves(this.ranges[family], order, base => movable.has(base))
    if (plan === undefined) {
      this.#hopeless[family] = order
      return undefined
    }
    const jobs: ListJob[] = []
    for (const { from, to } of plan.moves) {
      const list = movable.get(from)
      const members = list?.port?.members
      if (list === undefined || members === undefined) continue
      this.ranges[family].reserve(to.base, to.order)
      const wanted = new Set(list.ids)
      const slots = [...members.values()].filter(member => wanted.has(member.id)).sort((a, b) => a.id - b.id)
      list.stale = true
      list.pending = { base: to.base, ids: list.ids }
      jobs.push({ list, slots, base: to.base, failed: error => failed(list, error) })
      this.moves++
    }
    // The gaps are held until the lists between them have gone, or the next small list would take one.
    for (const gap of plan.gaps) {
      this.ranges[family].reserve(gap.base, gap.order)
      this.#retireRange(family, gap.base)
    }
    return jobs
  }

  /** Writes ranges, then flips: whoever reads sees the old list or the new one. */
  async write(jobs: readonly ListJob[], breathe: () => Promise<void>): Promise<void> {
    const unwritten = new Set<ListJob>()
    const skip = (job: ListJob, error: unknown): void => {
      unwritten.add(job)
      job.failed(error)
    }
    const of = (family: Family): ListJob[] =>
      jobs.filter(job => job.list.family === family && job.slots.length > 0)
    await writeRanges(this.#maps.backend4, of('IPv4'), backend4Of, NO_BACKEND4, skip, breathe)
    await writeRanges(this.#maps.backend6, of('IPv6'), backend6Of, NO_BACKEND6, skip, breathe)
    const written = jobs.filter(job => !unwritten.has(job))
    const changed = written.filter(job => job.list.inForce)
    await this.#begin(
      written.filter(job => !job.list.inForce),
      breathe,
    )
    for (const job of changed) {
      this.#flip(job)
      await breathe()
    }
  }

  /** Lists that no frontend leads to yet: neighbours are written at once. */
  async #begin(jobs: readonly ListJob[], breathe: () => Promise<void>): Promise<void> {
    const sorted = jobs.toSorted((a, b) => a.list.index - b.list.index)
    for (let at = 0; at < sorted.length; ) {
      const first = sorted[at]?.list.index ?? 0
      let end = at + 1
      while (end < sorted.length && sorted[end]?.list.index === first + end - at && end - at < MAX_RUN_ROWS)
        end++
      const run = sorted.slice(at, end)
      at = end
      try {
        writeWords(this.#maps.list, first, run)
        for (const job of run) this.#applied(job)
      } catch (error) {
        if (run.length === 1) run[0]?.failed(error)
        else for (const job of run) this.#flip(job)
      }
      await breathe()
    }
  }

  #flip(job: ListJob): void {
    try {
      this.#maps.list.store64(job.list.index, listWord(job.base, job.slots.length))
    } catch (error) {
      job.failed(error)
      return
    }
    this.#applied(job)
  }

  #applied({ list, slots, base }: ListJob): void {
    if (list.ids.length > 0) this.#retireRange(list.family, list.base)
    list.ids = slots.map(slot => slot.id)
    list.base = base
    list.inForce = true
    list.stale = false
    list.pending = undefined
    this.flips++
  }

  #retireRange(family: Family, base: number): void {
    this.#retirement.add(rangeResource(family), () => this.#freeRange(family, base))
  }

  #freeRange(family: Family, base: number): void {
    this.ranges[family].free(base)
    this.#hopeless[family] = Number.POSITIVE_INFINITY
  }

  #retireIndex(index: number): void {
    this.#retirement.add('list', () => {
      this.#maps.list.store64(index, 0n)
      this.#freeIndexes.add(index)
    })
  }
}

const EMPTY = {
  ids: [],
  base: 0,
  inForce: false,
  stale: false,
  refs: 0,
  wanted: false,
  pending: undefined,
} as const

function writeWords(map: MemoryMap<ListEntry>, first: number, jobs: readonly ListJob[]): void {
  map.write(
    first,
    jobs.map(({ base, slots }) => ({ base, count: slots.length })),
  )
}

function restoreRowsOf<V extends Backend4 | Backend6>(
  map: MemoryMap<V>,
  { index, base, ids }: ListState,
  members: readonly (Slot | undefined)[],
  rowOf: (slot: Slot, list: number) => V,
): boolean {
  let found = false
  for (const [offset, id] of ids.entries()) {
    const member = members[id]
    const row = member && rowOf(member, index)
    if (row === undefined || sameBackend(map.read(base + offset), row)) continue
    map.write(base + offset, [row])
    found = true
  }
  return found
}

/** Ranges that touch are written at once; what fails together is tried one by one. */
async function writeRanges<V>(
  map: MemoryMap<V>,
  jobs: readonly ListJob[],
  rowOf: (slot: Slot, list: number) => V,
  filler: V,
  failed: (job: ListJob, error: unknown) => void,
  breathe: () => Promise<void>,
): Promise<void> {
  const sorted = jobs.toSorted((a, b) => a.base - b.base)
  const write = (run: readonly ListJob[]): void => {
    const rows: V[] = []
    const first = run[0]?.base ?? 0
    for (const { base, slots, list } of run) {
      while (rows.length < base - first) rows.push(filler)
      for (const slot of slots) rows.push(rowOf(slot, list.index))
    }
    map.write(first, rows)
  }
  for (let at = 0; at < sorted.length; ) {
    let end = at
    let next = sorted[at]?.base
    let rows = 0
    for (let job = sorted[end]; job !== undefined && job.base === next; job = sorted[end]) {
      const size = 2 ** orderOf(job.slots.length)
      if (end > at && rows + size > MAX_RUN_ROWS) break
      rows += size
      next = job.base + size
      end++
    }
    const run = sorted.slice(at, end)
    at = end
    try {
      write(run)
    } catch (error) {
      for (const job of run) {
        try {
          if (run.length === 1) throw error
          write([job])
        } catch (single) {
          failed(job, single)
        }
      }
    }
    await breathe()
  }
}
