import type { KeyedMap } from '@kpng/ebpf'
import type { Svc4Key, Svc6Key, SvcValue } from '../bindings.gen.ts'
import { deleteEntries, type EntryWrite, writeEntries } from './entry-batch.ts'
import type { DatapathMaps } from './maps.ts'
import { type FrontendPlace, svc4KeyOf, svc6KeyOf } from './rows.ts'
import type { FrontendState, ListState, PortState } from './state.ts'

/** A frontend to write, over whatever is there. */
export interface FrontendWrite {
  readonly key: string
  readonly place: FrontendPlace
  readonly value: SvcValue
  readonly port: PortState
  readonly list: ListState
  readonly failed: (error: unknown) => void
}

export interface FrontendDelete {
  readonly key: string
  readonly failed: (error: unknown) => void
}

/** The maps svc4 and svc6: which frontend leads where. */
export class FrontendTable {
  /** By frontend key. */
  readonly entries = new Map<string, FrontendState>()
  /** Entries that no plan makes (another scope or protocol), found by adoption: to delete. */
  readonly strange4: Svc4Key[] = []
  readonly strange6: Svc6Key[] = []
  readonly #maps: Pick<DatapathMaps, 'svc4' | 'svc6'>
  readonly #left: (frontend: FrontendState) => void

  /** `left` is told of each frontend that led somewhere and does no more. */
  constructor(maps: Pick<DatapathMaps, 'svc4' | 'svc6'>, left: (frontend: FrontendState) => void) {
    this.#maps = maps
    this.#left = left
  }

  adopt(key: string, frontend: FrontendState): void {
    this.entries.set(key, frontend)
    this.#enter(key, frontend)
  }

  /** Rewrites what is there, then deletes, then adds: what goes makes room for what comes. */
  async write(
    writes: readonly FrontendWrite[],
    deletes: readonly FrontendDelete[],
    breathe: () => Promise<void>,
  ): Promise<void> {
    const known = writes.filter(write => this.entries.has(write.key))
    const fresh = writes.filter(write => !this.entries.has(write.key))
    await this.#update(known, breathe)
    await this.#delete(deletes, breathe)
    await this.#update(fresh, breathe)
  }

  /** What verification found in the kernel instead of what we wrote: it leads who knows where. */
  correct(key: string, value: SvcValue): void {
    const frontend = this.entries.get(key)
    if (frontend !== undefined) this.entries.set(key, { ...frontend, value, doubtful: true })
  }

  #doubt(key: string): void {
    const frontend = this.entries.get(key)
    if (frontend !== undefined) this.entries.set(key, { ...frontend, doubtful: true })
  }

  /** Deletes one frontend that belongs to nobody. */
  remove(key: string): void {
    const place = this.entries.get(key)?.place
    if (place === undefined) return
    if (place.family === 'IPv4') this.#maps.svc4.delete(svc4KeyOf(place))
    else this.#maps.svc6.delete(svc6KeyOf(place))
    this.forget(key)
  }

  removeStrange(): void {
    if (this.strange4.length > 0) this.#maps.svc4.deleteBatch(this.strange4)
    this.strange4.length = 0
    if (this.strange6.length > 0) this.#maps.svc6.deleteBatch(this.strange6)
    this.strange6.length = 0
  }

  /** What verification found to be otherwise in the kernel: forgotten, so that it is written again. */
  forget(key: string): void {
    const frontend = this.entries.get(key)
    if (frontend === undefined) return
    this.entries.delete(key)
    this.#leave(key, frontend)
  }

  async #update(writes: readonly FrontendWrite[], breathe: () => Promise<void>): Promise<void> {
    const rows = <K>(
      family: 'IPv4' | 'IPv6',
      keyOf: (place: FrontendPlace) => K,
    ): EntryWrite<K, SvcValue>[] =>
      writes
        .filter(write => write.place.family === family)
        .map(write => ({
          key: keyOf(write.place),
          value: write.value,
          done: () => this.#written(write),
          failed: write.failed,
        }))
    await writeEntries(this.#maps.svc4, rows('IPv4', svc4KeyOf), breathe)
    await writeEntries(this.#maps.svc6, rows('IPv6', svc6KeyOf), breathe)
  }

  async #delete(deletes: readonly FrontendDelete[], breathe: () => Promise<void>): Promise<void> {
    const remove = async <K>(
      map: KeyedMap<K, SvcValue>,
      family: string,
      keyOf: (place: FrontendPlace) => K,
    ) => {
      const rows = deletes.flatMap(({ key, failed }) => {
        const place = this.entries.get(key)?.place
        if (place?.family !== family) return []
        const refused = (error: unknown): void => {
          this.#doubt(key)
          failed(error)
        }
        return [{ key: keyOf(place), done: () => this.forget(key), failed: refused }]
      })
      await deleteEntries(map, rows, breathe)
    }
    await remove(this.#maps.svc4, 'IPv4', svc4KeyOf)
    await remove(this.#maps.svc6, 'IPv6', svc6KeyOf)
  }

  #written({ key, place, value, port, list }: FrontendWrite): void {
    const before = this.entries.get(key)
    const frontend = { place, value, port, list }
    this.entries.set(key, frontend)
    this.#enter(key, frontend)
    if (before !== undefined) this.#leave(key, before)
  }

  #enter(key: string, { port, list }: FrontendState): void {
    port?.frontends.add(key)
    if (list !== undefined) list.refs++
  }

  #leave(key: string, frontend: FrontendState): void {
    const { port, list } = frontend
    // Rewritten for the same service port, it still belongs to it.
    if (this.entries.get(key)?.port !== port) port?.frontends.delete(key)
    if (list !== undefined) list.refs--
    this.#left(frontend)
  }
}
