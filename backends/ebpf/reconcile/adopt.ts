import { canonicalCIDR, type Family, formatIPv4, ipFamily } from '@kpng/api'
import type {
  Backend4,
  Backend6,
  Cfg,
  RecordRow,
  Source4Key,
  Source6Key,
  Svc4Key,
  Svc6Key,
  SvcValue,
} from '../bindings.gen.ts'
import { formatIPv6 } from '../plan/address.ts'
import { orderOf } from '../plan/buddy.ts'
import type { Adopted, AdoptedFrontend, AdoptedList, AdoptedMember, AdoptedServicePort } from './adopted.ts'
import type { DeadBackend } from './hooks.ts'
import type { DatapathMaps } from './maps.ts'
import { keyOfName } from './name-table.ts'
import {
  type FrontendPlace,
  keyOfPlace,
  placeOf4,
  placeOf6,
  rangeOf4,
  rangeOf6,
  type Slot,
  slotOf4,
  slotOf6,
  slotOfRecord,
  transportOf,
} from './rows.ts'
import { Slicer } from './slicer.ts'
import { memberKey } from './state.ts'

/**
 * Reads what a former agent has left in maps of this layout: nothing is written. Whatever it was doing when it
 * died, what is whole is taken as it is, and what is not is named in `findings` and repaired after the first
 * sync. `records` are all rows of the socket record iterators: they tell whose ids are remembered.
 */
export async function adopt(maps: DatapathMaps, records: Iterable<RecordRow> = []): Promise<Adopted> {
  const reader = new Reader(maps)
  await reader.names()
  await reader.frontends()
  await reader.sources()
  await reader.lists()
  await reader.generations()
  await reader.records(records)
  await reader.affinity()
  return reader.result()
}

class Reader {
  readonly #maps: DatapathMaps
  readonly #slicer = new Slicer(8)
  readonly #findings: string[] = []
  readonly #ports = new Map<number, AdoptedServicePort>()
  readonly #strangeNames: number[] = []
  readonly #frontends: AdoptedFrontend[] = []
  readonly #strange4: Svc4Key[] = []
  readonly #strange6: Svc6Key[] = []
  /** By index: who leads there, as far as known before the lists are read. */
  readonly #leads = new Map<number, { readonly family: Family; readonly servicePort: number }>()
  readonly #lists: AdoptedList[] = []
  readonly #orphanLists: number[] = []
  readonly #sources = new Map<number, string[]>()
  readonly #strangeSources4: Source4Key[] = []
  readonly #strangeSources6: Source6Key[] = []
  readonly #members = new Map<number, AdoptedMember>()
  /** Ids of memberships by service port, address and port. */
  readonly #memberIds = new Map<string, number>()
  readonly #generations = new Map<number, number>()
  readonly #strays: DeadBackend[] = []
  readonly #blockedBackends = new Set<number>()
  readonly #blockedServicePorts = new Set<number>()

  constructor(maps: DatapathMaps) {
    this.#maps = maps
  }

  async names(): Promise<void> {
    const keys = new Set<string>()
    for (const [id, name] of [...this.#maps.service.entries()].sort(([a], [b]) => a - b)) {
      const key = keyOfName(name)
      const protocol = transportOf(name.proto)
      if (key === undefined || protocol === undefined || keys.has(key)) {
        this.#findings.push(
          `service ${id}: ${key === undefined ? 'names nothing' : `${key} has another id too`}`,
        )
        this.#strangeNames.push(id)
        continue
      }
      keys.add(key)
      this.#ports.set(id, { id, key, service: `${name.namespace}/${name.name}`, protocol, name })
      await this.#slicer.breathe()
    }
  }

  async frontends(): Promise<void> {
    await this.#readFrontends(this.#maps.svc4.entries(), placeOf4, this.#strange4)
    await this.#readFrontends(this.#maps.svc6.entries(), placeOf6, this.#strange6)
  }

  async #readFrontends<K>(
    rows: Iterable<[K, SvcValue]>,
    placeOf: (key: K) => FrontendPlace | undefined,
    strange: K[],
  ): Promise<void> {
    for (const [row, value] of rows) {
      const place = placeOf(row)
      if (place === undefined) {
        strange.push(row)
        this.#findings.push(`a frontend with a scope or protocol that is not ours`)
        continue
      }
      const key = keyOfPlace(place)
      this.#frontends.push({ key, place, value })
      if (!this.#ports.has(value.servicePort)) {
        this.#findings.push(`frontend ${key}: service port ${value.servicePort} has no name`)
        if (value.servicePort > 0) this.#blockedServicePorts.add(value.servicePort)
      }
      const { family } = place
      const lead = this.#leads.get(value.list)
      if (lead === undefined) this.#leads.set(value.list, { family, servicePort: value.servicePort })
      else if (lead.family !== family || lead.servicePort !== value.servicePort)
        this.#findings.push(`frontend ${key}: list ${value.list} belongs to another service port or family`)
      await this.#slicer.breathe()
    }
  }

  async sources(): Promise<void> {
    await this.#readSources(this.#maps.source4.entries(), rangeOf4, this.#strangeSources4)
    await this.#readSources(this.#maps.source6.entries(), rangeOf6, this.#strangeSources6)
  }

  async #readSources<K extends Source4Key | Source6Key>(
    rows: Iterable<[K, number]>,
    rangeOf: (key: K) => string,
    strange: K[],
  ): Promise<void> {
    for (const [row] of rows) {
      const range = rangeOf(row)
      const { servicePort } = row
      if (!this.#ports.has(servicePort) || canonicalCIDR(range) !== range) {
        strange.push(row)
        this.#findings.push(`source range ${range}: service port ${servicePort} has no name`)
        continue
      }
      const ranges = this.#sources.get(servicePort)
      if (ranges === undefined) this.#sources.set(servicePort, [range])
      else ranges.push(range)
      await this.#slicer.breathe()
    }
  }

  async lists(): Promise<void> {
    const { list } = this.#maps
    const taken = { IPv4: new Set<number>(), IPv6: new Set<number>() }
    for (let index = 1; index < list.maxEntries; index++) {
      const word = list.load64(index)
      const lead = this.#leads.get(index)
      if (lead === undefined) {
        if (word !== 0n) this.#orphanLists.push(index)
        continue
      }
      const base = Number(word & 0xffffffffn)
      const count = Number(word >> 32n)
      const slots = this.#slots(lead.family, index, base, count)
      const ids = slots && this.#adoptSlots(lead, slots, taken[lead.family], base)
      if (ids === undefined) this.#findings.push(`list ${index}: not a whole list`)
      this.#lists.push({ index, family: lead.family, servicePort: lead.servicePort, base, ids })
      await this.#slicer.breathe()
    }
    if (this.#orphanLists.length > 0)
      this.#findings.push(`${this.#orphanLists.length} lists that no frontend leads to`)
  }

  /** The slots of a list; undefined when it is not whole. */
  #slots(family: Family, index: number, base: number, count: number): Slot[] | undefined {
    const { backend4, backend6 } = this.#maps
    const end = family === 'IPv4' ? backend4.maxEntries : backend6.maxEntries
    if (count === 0) return base > 0 ? [] : undefined
    if (base % 2 ** orderOf(count) !== 0 || base + count > end) return undefined
    const slots: Slot[] = []
    for (let slot = base; slot < base + count; slot++) {
      const row = family === 'IPv4' ? backend4.read(slot) : backend6.read(slot)
      if (row.list !== index || row.id <= (slots.at(-1)?.id ?? 0)) return undefined
      slots.push(family === 'IPv4' ? slotOf4(row as Backend4) : slotOf6(row as Backend6))
    }
    return slots
  }

  /** Takes the memberships over; undefined when they or their range contradict what was taken before. */
  #adoptSlots(
    lead: { readonly family: Family; readonly servicePort: number },
    slots: readonly Slot[],
    taken: Set<number>,
    base: number,
  ): number[] | undefined {
    if (!this.#ports.has(lead.servicePort)) {
      for (const { id } of slots) this.#blockedBackends.add(id)
      return undefined
    }
    if (slots.length > 0 && taken.has(base)) return undefined
    const contradicts = slots.some(slot => !this.#mayAdopt(lead.servicePort, slot))
    if (contradicts) return undefined
    for (const slot of slots) this.#adoptMember(lead.servicePort, slot)
    if (slots.length > 0) taken.add(base)
    return slots.map(slot => slot.id)
  }

  #mayAdopt(servicePort: number, { id, generation, address, port }: Slot): boolean {
    const known = this.#members.get(id)
    const knownId = this.#memberIds.get(`${servicePort} ${memberKey(address, port)}`)
    if (known === undefined) return knownId === undefined
    return knownId === id && known.generation === generation
  }

  #adoptMember(servicePort: number, slot: Slot): void {
    this.#members.set(slot.id, { ...slot, servicePort, family: ipFamily(slot.address) })
    this.#memberIds.set(`${servicePort} ${memberKey(slot.address, slot.port)}`, slot.id)
  }

  /** Freed ranges keep the generations of ids that nobody has now. */
  async generations(): Promise<void> {
    const { backend4, backend6 } = this.#maps
    for (const map of [backend4, backend6]) {
      for (let slot = 0; slot < map.maxEntries; slot++) {
        const { id, generation } = map.read(slot)
        if (id !== 0 && generation > (this.#generations.get(id) ?? -1)) this.#generations.set(id, generation)
        // Asking for the time costs more than a slot.
        if ((slot & 255) === 0 && this.#slicer.over) await this.#slicer.breathe()
      }
    }
  }

  async records(rows: Iterable<RecordRow>): Promise<void> {
    for (const row of rows) {
      const slot = slotOfRecord(row)
      const { servicePort } = row
      if (slot.id === 0) continue
      if (servicePort === 0) {
        // Of a record that cannot be read: a connection is counted by this id, whoever has it.
        this.#blockedBackends.add(slot.id)
        continue
      }
      if (!this.#ports.has(servicePort)) this.#blockedServicePorts.add(servicePort)
      const known = this.#members.get(slot.id)
      if (known === undefined && this.#ports.has(servicePort) && this.#mayAdopt(servicePort, slot))
        this.#adoptMember(servicePort, slot)
      else if (known === undefined) this.#stray(row)
      await this.#slicer.breathe()
    }
  }

  #stray({ backend: id, generation, proto, connected }: RecordRow): void {
    this.#blockedBackends.add(id)
    if (transportOf(proto) === 'UDP' && connected === 1) this.#strays.push({ id, generation })
  }

  async affinity(): Promise<void> {
    for (const [key, value] of this.#maps.affinity.entries()) {
      if (value.backend !== 0 && !this.#members.has(value.backend)) this.#blockedBackends.add(value.backend)
      if (key.servicePort !== 0 && !this.#ports.has(key.servicePort))
        this.#blockedServicePorts.add(key.servicePort)
      await this.#slicer.breathe()
    }
  }

  result(): Adopted {
    const { addr4, addr6, cfg } = this.#maps
    const addresses = new Map<string, number>()
    for (const [address, { flags }] of addr4.entries()) addresses.set(formatIPv4(address), flags)
    for (const [address, { flags }] of addr6.entries()) addresses.set(formatIPv6(address), flags)
    const found: Cfg | undefined = cfg.lookup(0)
    return {
      ids: {
        servicePorts: [...this.#ports.values()],
        members: [...this.#members.values()],
        blockedBackends: this.#blockedBackends,
        blockedServicePorts: this.#blockedServicePorts,
        strays: this.#strays,
        generations: this.#generations,
      },
      contents: {
        frontends: this.#frontends,
        strange4: this.#strange4,
        strange6: this.#strange6,
        lists: this.#lists,
        orphanLists: this.#orphanLists,
        addresses,
        sources: this.#sources,
        strangeSources4: this.#strangeSources4,
        strangeSources6: this.#strangeSources6,
        cfg: found,
        strangeNames: this.#strangeNames,
      },
      checksSources: this.#sources.size > 0,
      findings: this.#findings,
    }
  }
}
