/** The brain: what sources say of a cluster, and what one node needs to know of it. */
export type {
  Endpoint,
  EndpointSlice,
  KubeObject,
  Node,
  Service,
  ServiceCIDR,
  ServicePort,
  SlicePort,
} from './objects/types.ts'
export { decide, type NodePolicy } from './select/decisions.ts'
export type { LocalDetector } from './select/local-detector.ts'
export { selectService } from './select/service-view.ts'
export type { NodePlace } from './select/topology.ts'
export { FileSource, type FileSourceOptions } from './sources/file/file-source.ts'
export { type RawObject, readRawObjects } from './sources/file/raw-objects.ts'
export { type Manifests, readManifests } from './sources/file/read-manifests.ts'
export { ApiClient, type ApiClientOptions, type PatchType } from './sources/kube/api-client.ts'
export { ApiFailure, type ApiFailureCode } from './sources/kube/api-failure.ts'
export { KubeSource, type KubeSourceOptions } from './sources/kube/kube-source.ts'
export { type ClusterAccessOptions, clusterAccess } from './sources/kube/kubeconfig.ts'
export { type ApiAnswer, UndiciTransport } from './sources/kube/undici-transport.ts'
export type { Trigger } from './store/changes.ts'
export { Store, type StoreOptions, type StoreWrite } from './store/store.ts'
export { BoundedRunner } from './view/bounded-runner.ts'
export { canonicalNodeName, LocalView, type LocalViewOptions } from './view/local-view.ts'
