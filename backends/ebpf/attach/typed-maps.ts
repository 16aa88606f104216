import { type BpfMap, type Codec, type KeyedMap, keyedMap, type MemoryMap, memoryMap } from '@kpng/ebpf'
import {
  addrValue,
  affinityKey,
  affinityValue,
  backend4,
  backend6,
  cfg,
  listEntry,
  maps,
  serviceName,
  source4Key,
  source6Key,
  svc4Key,
  svc6Key,
  svcValue,
} from '../bindings.gen.ts'
import type { DumpedMaps } from '../reconcile/dump.ts'
import type { DatapathMaps } from '../reconcile/maps.ts'
import { asItIs, type Reading } from './by-name.ts'
import type { DerivedMap, PinnedMap } from './map-set.ts'

/** Typed access to the derived maps of a generation. Throws as its reading does. */
export function derivedMapsOf(map: (name: DerivedMap) => BpfMap, read: Reading = asItIs): DumpedMaps {
  const keyed = <K, V>(name: DerivedMap, key: Codec<K>, value: Codec<V>): KeyedMap<K, V> =>
    keyedMap(map(name), read(map(name), 'key', key), read(map(name), 'value', value))
  const memory = <V>(name: DerivedMap, value: Codec<V>): MemoryMap<V> =>
    memoryMap(map(name), read(map(name), 'value', value))
  return {
    svc4: keyed('svc4', svc4Key, svcValue),
    svc6: keyed('svc6', svc6Key, svcValue),
    list: memory('list', listEntry),
    backend4: memory('backend4', backend4),
    backend6: memory('backend6', backend6),
    addr4: keyed('addr4', maps.addr4.key, addrValue),
    addr6: keyed('addr6', maps.addr6.key, addrValue),
    source4: keyed('source4', source4Key, maps.source4.value),
    source6: keyed('source6', source6Key, maps.source6.value),
    outside: memory('outside', maps.outside.value),
    cfg: keyed('cfg', maps.cfg.key, cfg),
    service: keyed('service', maps.service.key, serviceName),
  }
}

/** Typed access to the maps that the reconciler drives. */
export const datapathMapsOf = (map: (name: PinnedMap) => BpfMap, read: Reading = asItIs): DatapathMaps => ({
  ...derivedMapsOf(map, read),
  affinity: keyedMap(map('affinity'), affinityKey, affinityValue),
})
