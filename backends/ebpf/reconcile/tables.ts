import { AddressTable } from '../plan/address-table.ts'
import { Claims } from '../plan/claims.ts'
import { type Id, IdTable } from '../plan/ids.ts'
import { AddressWriter } from './address-writer.ts'
import { FrontendTable } from './frontend-table.ts'
import { ListTable } from './list-table.ts'
import type { DatapathMaps } from './maps.ts'
import { NameTable } from './name-table.ts'
import { OutsideFilter } from './outside-filter.ts'
import type { Retirement } from './retirement.ts'
import { SourceTable } from './source-table.ts'
import {
  type ListState,
  type Member,
  memberIdKey,
  newServiceState,
  type PortState,
  type ServiceState,
} from './state.ts'

/** Bounds that no map of the reconciler's own sets. */
export interface IdLimits {
  /** Largest backend id: entries of backend_count - 1. */
  readonly maxBackendId: number
  /** Largest service port id: entries of service_count - 1. */
  readonly maxServicePortId: number
}

/** Everything known of what is wanted and of what is in the kernel. */
export class Tables {
  readonly maps: DatapathMaps
  readonly retirement: Retirement
  readonly services = new Map<string, ServiceState>()
  readonly claims = new Claims()
  readonly wantedAddresses = new AddressTable()
  readonly addresses: AddressWriter
  readonly outside: OutsideFilter
  readonly names: NameTable
  readonly lists: ListTable
  readonly frontends: FrontendTable
  readonly sources: SourceTable
  readonly portIds: IdTable
  readonly backendIds: IdTable
  /** By backend id: those that are live. */
  readonly members: (Member | undefined)[] = []
  /** Service ports that a frontend has left since the last sweep. */
  readonly left = new Set<PortState>()
  /** Services whose last service port has gone. */
  readonly emptied = new Set<ServiceState>()

  constructor(maps: DatapathMaps, limits: IdLimits, retirement: Retirement) {
    this.maps = maps
    this.retirement = retirement
    this.portIds = new IdTable(limits.maxServicePortId)
    this.backendIds = new IdTable(limits.maxBackendId)
    this.names = new NameTable(maps.service)
    this.lists = new ListTable(maps, retirement)
    this.sources = new SourceTable(maps)
    this.outside = new OutsideFilter(maps.outside)
    this.addresses = new AddressWriter(maps, this.wantedAddresses, this.outside)
    this.frontends = new FrontendTable(maps, ({ port, list }) => {
      if (port !== undefined) this.left.add(port)
      if (list !== undefined) this.#retireOwnerless(list)
    })
  }

  service(key: string): ServiceState {
    const known = this.services.get(key)
    if (known !== undefined) return known
    const service = newServiceState(key)
    this.services.set(key, service)
    return service
  }

  addPort(service: ServiceState, identity: Pick<PortState, 'key' | 'id' | 'protocol' | 'name'>): PortState {
    const { key, id } = identity
    const named = this.names.applied.get(id) === key
    const port: PortState = {
      ...identity,
      service,
      named,
      wanted: false,
      members: new Map(),
      lists: [],
      frontends: new Set(),
    }
    service.ports.set(key, port)
    return port
  }

  /** key: see memberKey. */
  addMember(
    port: PortState,
    key: string,
    { id, generation }: Id,
    slot: Omit<Member, keyof Id | 'serves'>,
  ): Member {
    const { family, address, port: number } = slot
    const member: Member = { id, generation, family, address, port: number, serves: true }
    port.members.set(key, member)
    this.members[id] = member
    return member
  }

  /** The id goes to limbo: sockets and clients may remember it. */
  dropMember(port: PortState, key: string, { id }: Member): void {
    port.members.delete(key)
    this.members[id] = undefined
    this.backendIds.release(id, memberIdKey(port.id, key))
  }

  dropPort(port: PortState): void {
    const { service } = port
    service.ports.delete(port.key)
    if (service.ports.size === 0) this.emptied.add(service)
    this.portIds.release(port.id, port.key)
  }

  #retireOwnerless(list: ListState): void {
    if (list.port === undefined && list.refs === 0) this.lists.retire(list)
  }
}
