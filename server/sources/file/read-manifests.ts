import type { Problem } from '@kpng/api'
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../../objects/types.ts'
import { ManifestFiles, type ManifestFilesOptions } from './manifest-files.ts'

export interface Manifests {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly nodes: readonly Node[]
  readonly serviceCIDRs: readonly ServiceCIDR[]
  /** What is wrong with files and objects. */
  readonly problems: readonly Problem[]
  /** What is passed over without being wrong. */
  readonly notes: readonly Problem[]
}

/**
 * Reads files and directories of manifests once, as a FileSource does, without following them. Never throws for
 * what is in them, or is not there: problems say so.
 */
export async function readManifests(
  paths: readonly string[],
  options: ManifestFilesOptions = {},
): Promise<Manifests> {
  await using files = new ManifestFiles(paths, options)
  await files.refresh()
  const services: Service[] = []
  const slices: EndpointSlice[] = []
  const nodes: Node[] = []
  const serviceCIDRs: ServiceCIDR[] = []
  for (const object of files.objects()) {
    if (object.kind === 'Service') services.push(object)
    else if (object.kind === 'EndpointSlice') slices.push(object)
    else if (object.kind === 'Node') nodes.push(object)
    else serviceCIDRs.push(object)
  }
  return { services, slices, nodes, serviceCIDRs, problems: files.problems(), notes: files.notes() }
}
