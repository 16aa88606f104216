import type { Adopted, AdoptedContents } from './adopted.ts'
import type { CfgWriter } from './cfg-writer.ts'
import { type ListState, memberKey, type PortState } from './state.ts'
import type { Tables } from './tables.ts'

/** Begins with what a former agent has left. Nothing is written. */
export async function seed(
  tables: Tables,
  cfg: CfgWriter,
  adopted: Adopted,
  breathe: () => Promise<void>,
): Promise<void> {
  const { ids, contents } = adopted
  const ports = new Map<number, PortState>()
  // First: what is taken from here on is not free any more.
  for (const [id, generation] of ids.generations) tables.backendIds.noteGeneration(id, generation)
  for (const { id, key, service, protocol, name } of ids.servicePorts) {
    if (tables.services.get(service)?.ports.has(key) || !tables.portIds.adopt(id, 0)) continue
    if (contents !== undefined) tables.names.applied.set(id, key)
    ports.set(id, tables.addPort(tables.service(service), { key, id, protocol, name }))
    await breathe()
  }
  for (const { servicePort, id, generation, address, port: number, family } of ids.members) {
    const port = ports.get(servicePort)
    const key = memberKey(address, number)
    if (port === undefined) tables.backendIds.block(id)
    else if (!port.members.has(key) && tables.backendIds.adopt(id, generation))
      tables.addMember(port, key, { id, generation }, { address, port: number, family })
    await breathe()
  }
  for (const id of ids.blockedBackends) tables.backendIds.block(id)
  for (const id of ids.blockedServicePorts) tables.portIds.block(id)
  if (contents !== undefined) await seedContents(tables, cfg, contents, ports, breathe)
}

async function seedContents(
  tables: Tables,
  cfg: CfgWriter,
  contents: AdoptedContents,
  ports: ReadonlyMap<number, PortState>,
  breathe: () => Promise<void>,
): Promise<void> {
  for (const { index, family, servicePort, base, ids } of contents.lists) {
    const port = ports.get(servicePort)
    const list: ListState = {
      index,
      family,
      port,
      kind: undefined,
      ids: ids ?? [],
      base: ids === undefined ? 0 : base,
      inForce: true,
      stale: ids === undefined,
      refs: 0,
      wanted: false,
      pending: undefined,
    }
    // A range that overlaps another is as good as none: what is in it is written elsewhere.
    if (!tables.lists.adopt(list)) tables.lists.adopt({ ...list, ids: [], base: 0, stale: true })
    await breathe()
  }
  for (const { key, place, value } of contents.frontends) {
    const port = ports.get(value.servicePort)
    const list = tables.lists.lists.get(value.list)
    tables.frontends.adopt(key, {
      place,
      value,
      port,
      list: list?.family === place.family ? list : undefined,
    })
  }
  tables.frontends.strange4.push(...contents.strange4)
  tables.frontends.strange6.push(...contents.strange6)
  for (const index of contents.orphanLists) tables.lists.adoptOrphan(index)
  for (const [address, flags] of contents.addresses) {
    tables.addresses.applied.set(address, flags)
    tables.outside.adopt(address)
  }
  for (const [id, ranges] of contents.sources) for (const range of ranges) tables.sources.enter(id, range)
  tables.sources.strange4.push(...contents.strangeSources4)
  tables.sources.strange6.push(...contents.strangeSources6)
  tables.names.strange.push(...contents.strangeNames)
  cfg.adopt(contents.cfg)
}
