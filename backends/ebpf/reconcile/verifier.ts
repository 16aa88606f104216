import assert from 'node:assert/strict'
import { canonicalCIDR, type Family, formatIPv4 } from '@kpng/api'
import type { Source4Key, Source6Key, SvcValue } from '../bindings.gen.ts'
import { formatIPv6 } from '../plan/address.ts'
import type { CfgWriter } from './cfg-writer.ts'
import { keyOfName } from './name-table.ts'
import {
  type FrontendPlace,
  keyOfPlace,
  listWord,
  placeOf4,
  placeOf6,
  rangeOf4,
  rangeOf6,
  sameSvcValue,
} from './rows.ts'
import type { Slicer } from './slicer.ts'
import type { ListState, ServiceState } from './state.ts'
import type { Tables } from './tables.ts'

export interface VerifyStep {
  /** Services with something to write again. */
  readonly dirty: Set<ServiceState>
  /** Something is there that belongs to nobody. */
  prune: boolean
  /** The pass is over. */
  ended: boolean
  /** The pass could not go on: to be tried again later. */
  failure: unknown
}

/** Lists compared in one step: bounds how long a change waits behind it. */
const LISTS_PER_STEP = 1024

/** Compared in one step. */
type Part = () => Promise<void> | void

/**
 * Compares the kernel with what we believe to be in it, part by part. What differs is corrected in what we
 * believe, so that the ordinary way writes it again; only words of lists are put right on the spot.
 */
export class Verifier {
  readonly #tables: Tables
  readonly #cfg: CfgWriter
  readonly #slicer: Slicer
  readonly #parts: readonly Part[]
  /** Parts that this pass has not compared yet. One that failed is the last: those after it need not wait for it. */
  readonly #due = new Set<Part>()
  #step: VerifyStep = newStep()
  #waiting: (() => void)[] = []
  /** Entries found otherwise. */
  repairs = 0
  passes = 0

  constructor(tables: Tables, cfg: CfgWriter, slicer: Slicer) {
    this.#tables = tables
    this.#cfg = cfg
    this.#slicer = slicer
    this.#parts = this.#allParts()
  }

  /** Whether a pass has parts to compare. */
  get due(): boolean {
    return this.#due.size > 0
  }

  /** From now on everything is to be compared, those parts of a pass that goes on that it has compared before, too. */
  begin(): void {
    for (const part of this.#parts) this.#due.add(part)
  }

  /** Called at the end of a whole pass that begins from now on. */
  onPass(callback: () => void): void {
    this.begin()
    this.#waiting.push(callback)
  }

  /** The next part of the pass. Nothing else may write meanwhile. */
  async step(): Promise<VerifyStep> {
    this.#step = newStep()
    const [part] = this.#due
    assert(part !== undefined, 'nothing is to be compared')
    this.#due.delete(part)
    try {
      await part()
    } catch (error) {
      this.#step.failure = error
      this.#due.add(part)
    }
    this.#step.ended = !this.due
    if (!this.#step.ended) return this.#step
    this.passes++
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
    return this.#step
  }

  #allParts(): Part[] {
    const { maps, frontends, sources, outside } = this.#tables
    const parts: Part[] = [
      () => this.#frontends('IPv4', maps.svc4.entries(), placeOf4, key => void frontends.strange4.push(key)),
      () => this.#frontends('IPv6', maps.svc6.entries(), placeOf6, key => void frontends.strange6.push(key)),
    ]
    for (let first = 0; first < maps.list.maxEntries; first += LISTS_PER_STEP)
      parts.push(() => this.#lists(first, Math.min(first + LISTS_PER_STEP, maps.list.maxEntries)))
    parts.push(
      () => this.#names(),
      () => this.#sources(false, maps.source4.entries(), rangeOf4, key => void sources.strange4.push(key)),
      () => this.#sources(true, maps.source6.entries(), rangeOf6, key => void sources.strange6.push(key)),
      () => this.#addresses('IPv4', maps.addr4.entries(), formatIPv4),
      () => this.#addresses('IPv6', maps.addr6.entries(), formatIPv6),
      () => {
        if (this.#cfg.check()) this.repairs++
      },
      () => {
        this.repairs += outside.verify()
      },
    )
    return parts
  }

  async #frontends<K>(
    family: Family,
    rows: Iterable<[K, SvcValue]>,
    placeOf: (key: K) => FrontendPlace | undefined,
    strange: (key: K) => void,
  ): Promise<void> {
    const { frontends } = this.#tables
    const seen = new Set<string>()
    for (const [row, value] of rows) {
      const place = placeOf(row)
      if (place === undefined) {
        strange(row)
        this.#step.prune = true
        this.repairs++
        continue
      }
      const key = keyOfPlace(place)
      seen.add(key)
      const known = frontends.entries.get(key)
      if (known === undefined) {
        frontends.adopt(key, { place, value, port: undefined, list: undefined })
        this.#step.prune = true
        this.repairs++
      } else if (!sameSvcValue(known.value, value)) {
        frontends.correct(key, value)
        this.#repair(known.port?.service)
      }
      if (this.#slicer.over) await this.#slicer.breathe()
    }
    for (const [key, known] of [...frontends.entries]) {
      if (known.place.family !== family || seen.has(key)) continue
      frontends.forget(key)
      this.#repair(known.port?.service)
    }
  }

  async #lists(first: number, end: number): Promise<void> {
    for (let index = first; index < end; index++) {
      const list = this.#tables.lists.lists.get(index)
      if (list === undefined) this.#freeList(index)
      else if (list.inForce && !list.stale) this.#list(list)
      if (this.#slicer.over) await this.#slicer.breathe()
    }
  }

  #freeList(index: number): void {
    const { list } = this.#tables.maps
    if (!this.#tables.lists.isFree(index) || list.load64(index) === 0n) return
    list.store64(index, 0n)
    this.repairs++
  }

  #list(list: ListState): void {
    const { maps, members, lists } = this.#tables
    const word = listWord(list.base, list.ids.length)
    if (maps.list.load64(list.index) !== word) {
      lists.restore(list, word)
      this.repairs++
    }
    if (lists.restoreRows(list, members)) this.repairs++
  }

  async #names(): Promise<void> {
    const { maps, names, services } = this.#tables
    const seen = new Set<number>()
    for (const [id, name] of maps.service.entries()) {
      if (keyOfName(name) === names.applied.get(id) && names.applied.has(id)) {
        seen.add(id)
      } else if (!names.applied.has(id)) {
        names.strange.push(id)
        this.#step.prune = true
        this.repairs++
      }
      if (this.#slicer.over) await this.#slicer.breathe()
    }
    for (const id of [...names.applied.keys()]) if (!seen.has(id)) names.applied.delete(id)
    for (const service of services.values()) {
      for (const port of service.ports.values()) {
        if (!port.named || names.applied.has(port.id)) continue
        port.named = false
        this.#repair(service)
      }
    }
  }

  async #sources<K extends Source4Key | Source6Key>(
    isIPv6: boolean,
    rows: Iterable<[K, number]>,
    rangeOf: (key: K) => string,
    strange: (key: K) => void,
  ): Promise<void> {
    const { sources, services } = this.#tables
    const owners = new Map<number, ServiceState>()
    for (const service of services.values())
      for (const { id } of service.ports.values()) owners.set(id, service)
    const seen = new Set<string>()
    for (const [row] of rows) {
      const range = rangeOf(row)
      const { servicePort } = row
      const owner = owners.get(servicePort)
      seen.add(`${servicePort} ${range}`)
      if (sources.has(servicePort, range)) continue
      if (owner === undefined || canonicalCIDR(range) !== range) strange(row)
      else sources.enter(servicePort, range)
      this.#repair(owner)
      if (owner === undefined || canonicalCIDR(range) !== range) this.#step.prune = true
      if (this.#slicer.over) await this.#slicer.breathe()
    }
    for (const [servicePort, ranges] of [...sources.applied]) {
      for (const range of [...ranges.keys()]) {
        if (range.includes(':') !== isIPv6 || seen.has(`${servicePort} ${range}`)) continue
        sources.forget(servicePort, range)
        this.#repair(owners.get(servicePort))
      }
    }
  }

  async #addresses<K>(
    family: Family,
    rows: Iterable<[K, { readonly flags: number }]>,
    textOf: (key: K) => string,
  ): Promise<void> {
    const { addresses } = this.#tables
    const seen = new Set<string>()
    for (const [row, { flags }] of rows) {
      const address = textOf(row)
      seen.add(address)
      if (addresses.applied.get(address) !== flags) this.#correctAddress(address, flags)
      if (this.#slicer.over) await this.#slicer.breathe()
    }
    for (const address of [...addresses.applied.keys()])
      if (address.includes(':') === (family === 'IPv6') && !seen.has(address))
        this.#correctAddress(address, 0)
  }

  #correctAddress(address: string, flags: number): void {
    const { applied, dirty } = this.#tables.addresses
    if (flags === 0) applied.delete(address)
    else applied.set(address, flags)
    dirty.add(address)
    this.repairs++
  }

  #repair(service: ServiceState | undefined): void {
    this.repairs++
    if (service === undefined) this.#step.prune = true
    else this.#step.dirty.add(service)
  }
}

const newStep = (): VerifyStep => ({ dirty: new Set(), prune: false, ended: false, failure: undefined })
