export * from './bpf-map.ts'
export { Btf } from './btf/btf.ts'
export {
  codecFromBtf,
  type DynamicRecord,
  type DynamicValue,
  recordCodecFromBtf,
} from './btf/dynamic-codec.ts'
export { type MapBtfInfo, type MapCodecs, mapCodecs } from './btf/map-codecs.ts'
export { type MapDefinition, mapDefinitions } from './btf/map-definitions.ts'
export type * from './btf/types.ts'
export * from './codec.ts'
export * from './error.ts'
export * from './keyed-map.ts'
export * from './map.ts'
export * from './map-spec.ts'
export * from './memory-map.ts'
export { countCpus, possibleCpus } from './per-cpu.ts'
export { ensureBpffs, onBpffs, unpin } from './pin.ts'
export { AttachType, LinkType, MapFlag, MapType, ProgramType } from './sys/bpf-enum.ts'
