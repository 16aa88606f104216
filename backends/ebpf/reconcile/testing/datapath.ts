import { Reason, Version } from '../../bindings.gen.ts'
import type { DatapathMaps } from '../maps.ts'
import type { FrontendPlace } from '../rows.ts'
import { type FakeSizes, fakeMaps } from './fake-maps.ts'
import { lookup } from './lookup.ts'

export const NS_PER_S = 1_000_000_000n

/** Who connects, and the chance that the choice of a backend is left to. */
export interface Asker {
  /** Cookie of the client's network namespace. */
  readonly client: bigint
  /** Where the connection comes from: an address of the frontend's family. */
  readonly source: string
  /** 1 to 2 ** 32 - 1: the list is divided into equal parts. */
  readonly random: number
  readonly nowNs: bigint
}

/** Why a connection is not translated. */
export type Refusal = Exclude<keyof typeof Reason, 'TRANSLATED'>

/** What a new connection meets. */
export type Met =
  | {
      readonly verdict: 'TRANSLATED'
      readonly servicePort: number
      readonly id: number
      readonly generation: number
      readonly address: string
      readonly port: number
    }
  | { readonly verdict: Refusal }

/** Maps and the programs that look into them. */
export interface Datapath extends Disposable {
  readonly maps: DatapathMaps
  /** A new connection to an address of the place; remembers the client's affinity, as the programs do. */
  connect(place: FrontendPlace, asker: Asker): Met
  /** New derived maps, empty; what lives in the kernel (affinity) is the same. */
  renew(): Datapath
}

/** Maps in memory, and the programs in a few lines. */
export class FakeDatapath implements Datapath {
  readonly maps: DatapathMaps
  readonly #sizes: FakeSizes

  constructor(sizes: FakeSizes, affinity?: DatapathMaps['affinity']) {
    const maps = fakeMaps(sizes)
    this.#sizes = sizes
    this.maps = affinity === undefined ? maps : { ...maps, affinity }
  }

  renew(): FakeDatapath {
    return new FakeDatapath(this.#sizes, this.maps.affinity)
  }

  connect(place: FrontendPlace, { client, source, random, nowNs }: Asker): Met {
    const answer = lookup(this.maps, place, source)
    if (answer.verdict !== 'backends') return answer
    const { servicePort, affinityS, slots } = answer
    const { affinity } = this.maps
    const key = affinityKeyOf(client, servicePort, place.family)
    const known = affinityS > 0 ? affinity.lookup(key) : undefined
    const isYoung = known !== undefined && nowNs - known.lastUsedNs <= BigInt(affinityS) * NS_PER_S
    const held = isYoung
      ? slots.find(({ id, generation }) => id === known.backend && generation === known.generation)
      : undefined
    const slot = held ?? slots[Math.floor((random / 2 ** 32) * slots.length)]
    if (slot === undefined) throw new Error(`random ${random} is beyond ${slots.length} slots`)
    const { id, generation, address, port } = slot
    if (affinityS > 0)
      affinity.update(key, { lastUsedNs: nowNs, backend: id, generation, version: Version.RECORD_VERSION })
    return { verdict: 'TRANSLATED', servicePort, id, generation, address, port }
  }

  [Symbol.dispose](): void {}
}

/** Of a client at the socket. */
export function affinityKeyOf(client: bigint, servicePort: number, family: FrontendPlace['family']) {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, client, true)
  return { client: bytes, servicePort, kind: 0, family: family === 'IPv4' ? 4 : 6 }
}

export function refusalOf(value: number): Refusal {
  for (const [name, reason] of Object.entries(Reason)) if (reason === value) return name as Refusal
  throw new Error(`no reason ${value}`)
}
