import type { Source4Key, Source6Key } from '../bindings.gen.ts'
import { deleteEntries, writeEntries } from './entry-batch.ts'
import type { DatapathMaps } from './maps.ts'
import { source4KeyOf, source6KeyOf } from './rows.ts'

/** One range of one service port, by its id. */
export interface SourceEntry {
  readonly servicePort: number
  /** CIDR. */
  readonly range: string
  readonly failed: (error: unknown) => void
}

/** doubtful: a failed deletion may have taken it away. */
type State = 'there' | 'doubtful'

/** The maps source4 and source6: who may connect to frontends with source ranges. */
export class SourceTable {
  /** By service port id and CIDR; without service ports that have none. */
  readonly applied = new Map<number, Map<string, State>>()
  /** Entries of nobody, found by adoption or verification: to delete. */
  readonly strange4: Source4Key[] = []
  readonly strange6: Source6Key[] = []
  readonly #maps: Pick<DatapathMaps, 'source4' | 'source6'>

  constructor(maps: Pick<DatapathMaps, 'source4' | 'source6'>) {
    this.#maps = maps
  }

  has(servicePort: number, range: string): boolean {
    return this.applied.get(servicePort)?.has(range) === true
  }

  /** It is in the kernel. */
  enter(servicePort: number, range: string): void {
    const ranges = this.applied.get(servicePort)
    if (ranges === undefined) this.applied.set(servicePort, new Map([[range, 'there']]))
    else ranges.set(range, 'there')
  }

  /** It is not in the kernel. */
  forget(servicePort: number, range: string): void {
    const ranges = this.applied.get(servicePort)
    ranges?.delete(range)
    if (ranges?.size === 0) this.applied.delete(servicePort)
  }

  /** What is wanted and not surely there. */
  missing(servicePort: number, wanted: readonly string[]): string[] {
    const ranges = this.applied.get(servicePort)
    return wanted.filter(range => ranges?.get(range) !== 'there')
  }

  /** What is there, surely or not, and not wanted. */
  surplus(servicePort: number, wanted: readonly string[]): string[] {
    const ranges = this.applied.get(servicePort)
    return ranges === undefined ? [] : [...ranges.keys()].filter(range => !wanted.includes(range))
  }

  async write(entries: readonly SourceEntry[], breathe: () => Promise<void>): Promise<void> {
    const rows = <K>(isIPv6: boolean, keyOf: (servicePort: number, range: string) => K) =>
      entries
        .filter(({ range }) => range.includes(':') === isIPv6)
        .map(({ servicePort, range, failed }) => ({
          key: keyOf(servicePort, range),
          value: 1,
          done: () => this.enter(servicePort, range),
          failed,
        }))
    await writeEntries(this.#maps.source4, rows(false, source4KeyOf), breathe)
    await writeEntries(this.#maps.source6, rows(true, source6KeyOf), breathe)
  }

  async delete(entries: readonly SourceEntry[], breathe: () => Promise<void>): Promise<void> {
    const rows = <K>(isIPv6: boolean, keyOf: (servicePort: number, range: string) => K) =>
      entries
        .filter(({ range }) => range.includes(':') === isIPv6)
        .map(({ servicePort, range, failed }) => ({
          key: keyOf(servicePort, range),
          done: () => this.forget(servicePort, range),
          failed: (error: unknown) => {
            this.applied.get(servicePort)?.set(range, 'doubtful')
            failed(error)
          },
        }))
    await deleteEntries(this.#maps.source4, rows(false, source4KeyOf), breathe)
    await deleteEntries(this.#maps.source6, rows(true, source6KeyOf), breathe)
  }

  removeStrange(): void {
    if (this.strange4.length > 0) this.#maps.source4.deleteBatch(this.strange4)
    this.strange4.length = 0
    if (this.strange6.length > 0) this.#maps.source6.deleteBatch(this.strange6)
    this.strange6.length = 0
  }
}
