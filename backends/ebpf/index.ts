export { checkCgroupDirectory, findCgroupRoot } from './attach/cgroup-root.ts'
export type { Sizes } from './attach/map-set.ts'
export { pinnedInstances, removePins } from './attach/pin-paths.ts'
export {
  type BackendStatus,
  EbpfBackend,
  type EbpfBackendOptions,
  type ServicePortTraffic,
  type Traffic,
} from './backend.ts'
export { type BackendCounts, DatapathInspection, type ServiceCounts } from './inspect.ts'
export { compareClaims } from './plan/claims.ts'
export { primaryAddresses } from './plan/node-plan.ts'
export { decisionOf, type Frontend, type ListKind, planService, servicePortKey } from './plan/service-plan.ts'
export type { SyncPass } from './reconcile/hooks.ts'
