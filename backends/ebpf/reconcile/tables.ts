import { AddressTable } from '../plan/address-table.ts'
import { Claims } from '../plan/claims.ts'
import { IdTable } from '../plan/ids.ts'
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
  memberKey,
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

  addMember(port: PortState, slot: Omit<Member, 'serves'>): Member {
    const member = { ...slot, serves: true }
    port.members.set(memberKey(slot.address, slot.port), member)
    this.members[slot.id] = member
    return member
  }

  /** The id goes to limbo: sockets and clients may remember it. */
  dropMember(port: PortState, member: Member): void {
    port.members.delete(memberKey(member.address, member.port))
    this.members[member.id] = undefined
    this.backendIds.release(memberIdKey(port.id, member.address, member.port))
  }

  dropPort(port: PortState): void {
    const { service } = port
    service.ports.delete(port.key)
    if (service.ports.size === 0) this.emptied.add(service)
    this.portIds.release(port.key)
  }

  #retireOwnerless(list: ListState): void {
    if (list.port === undefined && list.refs === 0) this.lists.retire(list)
  }
}
