export * from './bpf-map.ts'
export { Btf } from './btf/btf.ts'
export { codecByName } from './btf/codec-by-name.ts'
export {
  codecFromBtf,
  type DynamicRecord,
  type DynamicValue,
  recordCodecFromBtf,
} from './btf/dynamic-codec.ts'
export { type LayoutOptions, layoutDifference, type TypeOf } from './btf/layout-difference.ts'
export { kernelBtf, type MapBtfInfo, type MapCodecs, mapBtf, mapCodecs } from './btf/map-codecs.ts'
export { type MapDefinition, mapDefinitions } from './btf/map-definitions.ts'
export type * from './btf/types.ts'
export * from './codec.ts'
export * from './error.ts'
export { type Feature, features, type Outcome, probe } from './features.ts'
export { waitForPrograms } from './grace-period.ts'
export { keyedMap, type MapOptions, perCpuMap } from './keyed-map.ts'
export * from './link/cgroup.ts'
export * from './link/iter.ts'
export * from './link/link.ts'
export * from './map.ts'
export * from './map-spec.ts'
export * from './memory-map.ts'
export { moveCounts } from './move-counts.ts'
export { NetnsWorker, type NetnsWorkerOptions } from './netns/netns-worker.ts'
export type {
  DestroyedSockets,
  NamespaceSources,
  NetnsTarget,
  OpenedSocket,
  SocketToDestroy,
  SocketToOpen,
  SourceAddresses,
  SourceAddressRequest,
} from './netns/requests.ts'
export * from './object.ts'
export { countCpus, possibleCpus } from './per-cpu.ts'
export { ensureBpffs, onBpffs, unpin } from './pin.ts'
export * from './program.ts'
export * from './ring-buffer.ts'
export * from './stats.ts'
export { AttachType, LinkType, MapFlag, MapType, ProgramType } from './sys/bpf-enum.ts'
export { errnoName } from './sys/errno.ts'
export type { Fd } from './sys/fd.ts'
export { lockDirectory, lockFile } from './sys/file.ts'
export { libbpfVersion } from './sys/libbpf.ts'
export type { ProgramSpec } from './sys/object-file.ts'
export type { ConstantSpec, ConstantValue } from './sys/rodata.ts'
export * from './verifier-error.ts'
