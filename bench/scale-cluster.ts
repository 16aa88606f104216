import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endpointSlice, node, service } from '../test/e2e/manifests.ts'

const servicesPerFile = 100

const address = (network: number, number: number): string =>
  `10.${network}.${Math.floor(number / 250) % 250}.${(number % 250) + 1}`

const clusterIP = (index: number): string => address(96 + Math.floor(index / 62_500), index)

/** `generation` moves the first endpoint of the Service, as a pod that is replaced does. */
function serviceAndSlice(index: number, endpoints: number, generation: number): unknown[] {
  const name = `s${index}`
  const addresses = Array.from({ length: endpoints }, (_, endpoint) => {
    if (endpoint === 0 && generation > 0) return address(250, generation)
    const number = index * endpoints + endpoint
    return address(128 + Math.floor(number / 62_500), number)
  })
  return [
    service({ name, clusterIPs: [clusterIP(index)], ports: [{ name: 'http', port: 80 }] }),
    endpointSlice({ service: name, ports: [{ name: 'http', port: 8080 }], endpoints: addresses }),
  ]
}

/** Manifests of a whole cluster in a directory, 100 Services a file; gone after dispose. */
export class ScaleCluster implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'kpng-bench-'))
  readonly #services: number
  readonly #endpoints: number
  /** Of the Services that have changed. */
  readonly #generations = new Map<number, number>()

  constructor(services: number, endpoints: number) {
    this.#services = services
    this.#endpoints = endpoints
    this.#replace('node.json', [node('node-a', ['192.168.79.1'])])
    for (let first = 0; first < services; first += servicesPerFile) this.#write(first)
  }

  /** Replaces an endpoint of one Service, another one each time. The numbers of changes begin at 1. */
  change(change: number): void {
    const index = (change * 7919) % this.#services
    this.#generations.set(index, change)
    this.#write(index - (index % servicesPerFile))
  }

  #write(first: number): void {
    const count = Math.min(servicesPerFile, this.#services - first)
    const items = Array.from({ length: count }, (_, at) =>
      serviceAndSlice(first + at, this.#endpoints, this.#generations.get(first + at) ?? 0),
    )
    this.#replace(`services-${first}.json`, items.flat())
  }

  #replace(name: string, items: readonly unknown[]): void {
    const path = join(this.directory, `.${name}`)
    writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    renameSync(path, join(this.directory, name))
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
