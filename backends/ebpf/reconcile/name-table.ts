import type { ServiceName } from '../bindings.gen.ts'
import { servicePortKey } from '../plan/service-plan.ts'
import { writeEntries } from './entry-batch.ts'
import type { DatapathMaps } from './maps.ts'
import { transportOf } from './rows.ts'

export interface NameWrite {
  readonly id: number
  readonly name: ServiceName
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** The map service: whose service port ids these are, from the first use of an id to its end. */
export class NameTable {
  /** Service port keys in the kernel by id. */
  readonly applied = new Map<number, string>()
  /** Ids whose rows name nothing, found by adoption: to delete. */
  readonly strange: number[] = []
  readonly #map: DatapathMaps['service']

  constructor(map: DatapathMaps['service']) {
    this.#map = map
  }

  async write(writes: readonly NameWrite[], breathe: () => Promise<void>): Promise<void> {
    const rows = writes.map(({ id, name, done, failed }) => ({
      key: id,
      value: name,
      done: () => {
        this.applied.set(id, keyOfName(name) ?? '')
        done()
      },
      failed,
    }))
    await writeEntries(this.#map, rows, breathe)
  }

  removeStrange(): void {
    const ids = this.strange.filter(id => !this.applied.has(id))
    if (ids.length > 0) this.#map.deleteBatch(ids)
    this.strange.length = 0
  }

  delete(id: number): void {
    if (!this.applied.has(id)) return
    this.#map.delete(id)
    this.applied.delete(id)
  }
}

/** The service port key that a row stands for; undefined when it is none that we write. */
export function keyOfName(name: ServiceName): string | undefined {
  const protocol = transportOf(name.proto)
  if (protocol === undefined || name.namespace === '' || name.name === '') return undefined
  return servicePortKey(`${name.namespace}/${name.name}`, name.port, protocol)
}
