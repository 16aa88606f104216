import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

/** As much of a Kubernetes object as the demo changes. */
interface KubernetesObject {
  readonly kind: string
  readonly metadata: {
    readonly namespace?: string
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly endpoints?: ReadonlyArray<{ readonly addresses: readonly string[] }> | null
}

/** A Service as `namespace/name`. */
type ServiceName = string

const isSliceOf = (object: KubernetesObject, service: ServiceName): boolean =>
  object.kind === 'EndpointSlice' &&
  `${object.metadata.namespace}/${object.metadata.labels?.['kubernetes.io/service-name']}` === service

/** The objects of a cluster in a directory of their own, where the lab reads them. */
export class Manifests {
  readonly #original: readonly KubernetesObject[]
  readonly #dir: string

  constructor(file: string, dir: string) {
    this.#original = (parse(readFileSync(file, 'utf8')) as { items: KubernetesObject[] }).items
    this.#dir = dir
    this.restore()
  }

  restore(): void {
    this.#write(this.#original)
  }

  /** The cluster with the endpoints of one Service left out for which `keep` is false. */
  keepEndpoints(service: ServiceName, keep: (address: string) => boolean): void {
    const left = this.#original.map(object => {
      if (!isSliceOf(object, service)) return object
      const endpoints = object.endpoints?.filter(endpoint => endpoint.addresses.some(keep)) ?? []
      return { ...object, endpoints }
    })
    this.#write(left)
  }

  /** Addresses of a Service's endpoints, both families. */
  endpoints(service: ServiceName): string[] {
    return this.#original
      .filter(object => isSliceOf(object, service))
      .flatMap(object => object.endpoints?.flatMap(endpoint => endpoint.addresses) ?? [])
  }

  #write(items: readonly KubernetesObject[]): void {
    const path = join(this.#dir, 'cluster.json')
    writeFileSync(`${path}.new`, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    renameSync(`${path}.new`, path)
  }
}
