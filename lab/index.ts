export { type Agents, noAgents, realAgents } from './agents.ts'
export type { ApiResponse, RequestOptions } from './control-plane/api-client.ts'
export {
  ControlPlane,
  type ControlPlaneOptions,
  type Identity,
  type KubectlOptions,
} from './control-plane/control-plane.ts'
export { openLabApi } from './kube/lab-api.ts'
export { type ApplyOptions, type LabReport, labApply, labDown, labUp, type UpOptions } from './lab.ts'
export { type LabSummary, listLabs } from './list.ts'
export { checkLabName } from './names.ts'
export { become, enterArgv, type Place } from './place.ts'
export { type ProbeOptions, probe } from './probe.ts'
export type { ProbeResult } from './probe-result.ts'
export { resolveWho, type WhoOptions } from './resolve-who.ts'
export { type Call, callText } from './unix-http.ts'
export { parseTarget, parseWho, type Target, type Who } from './who.ts'
