import type { KeyedMap, MemoryMap } from '@kpng/ebpf'
import type {
  AddrValue,
  AffinityKey,
  AffinityValue,
  Backend4,
  Backend6,
  Cfg,
  ListEntry,
  ServiceName,
  Source4Key,
  Source6Key,
  Svc4Key,
  Svc6Key,
  SvcValue,
} from '../bindings.gen.ts'

/** The maps that the reconciler writes; `affinity` it only reads and clears. See bpf/maps.h. */
export interface DatapathMaps {
  readonly svc4: KeyedMap<Svc4Key, SvcValue>
  readonly svc6: KeyedMap<Svc6Key, SvcValue>
  readonly list: MemoryMap<ListEntry>
  readonly backend4: MemoryMap<Backend4>
  readonly backend6: MemoryMap<Backend6>
  readonly addr4: KeyedMap<number, AddrValue>
  readonly addr6: KeyedMap<Uint8Array, AddrValue>
  readonly source4: KeyedMap<Source4Key, number>
  readonly source6: KeyedMap<Source6Key, number>
  readonly outside: MemoryMap<bigint>
  readonly cfg: KeyedMap<number, Cfg>
  readonly service: KeyedMap<number, ServiceName>
  readonly affinity: KeyedMap<AffinityKey, AffinityValue>
}
