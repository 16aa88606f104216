import { type BpfMap, keyedMap, memoryMap } from '@kpng/ebpf'
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
import type { DerivedMap, PinnedMap } from './map-set.ts'

/** Typed access to the derived maps of a generation. */
export const derivedMapsOf = (map: (name: DerivedMap) => BpfMap): DumpedMaps => ({
  svc4: keyedMap(map('svc4'), svc4Key, svcValue),
  svc6: keyedMap(map('svc6'), svc6Key, svcValue),
  list: memoryMap(map('list'), listEntry),
  backend4: memoryMap(map('backend4'), backend4),
  backend6: memoryMap(map('backend6'), backend6),
  addr4: keyedMap(map('addr4'), maps.addr4.key, addrValue),
  addr6: keyedMap(map('addr6'), maps.addr6.key, addrValue),
  source4: keyedMap(map('source4'), source4Key, maps.source4.value),
  source6: keyedMap(map('source6'), source6Key, maps.source6.value),
  outside: memoryMap(map('outside'), maps.outside.value),
  cfg: keyedMap(map('cfg'), maps.cfg.key, cfg),
  service: keyedMap(map('service'), maps.service.key, serviceName),
})

/** Typed access to the maps that the reconciler drives. */
export const datapathMapsOf = (map: (name: PinnedMap) => BpfMap): DatapathMaps => ({
  ...derivedMapsOf(map),
  affinity: keyedMap(map('affinity'), affinityKey, affinityValue),
})
