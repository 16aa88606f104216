import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agents, noAgents } from './agents.ts'
import { type LabReport, labApply, labDown, labUp, type UpOptions } from './lab.ts'
import { type ProbeOptions, probe } from './probe.ts'
import type { ProbeResult } from './probe-result.ts'
import { parseTarget, parseWho } from './who.ts'

let made = 0

/** A lab of a test's own; gone, with its manifests, after dispose. */
export class ScratchLab implements AsyncDisposable {
  readonly name =
    `lt${process.pid.toString(36)}-${(made++).toString(36)}${Math.random().toString(36).slice(2, 6)}`
  readonly manifests = mkdtempSync(join(tmpdir(), 'kpng-lab-test-'))
  readonly #agents: Agents

  constructor(agents = noAgents) {
    this.#agents = agents
  }

  static async up(
    objects: readonly unknown[],
    agents?: Agents,
    source?: UpOptions['source'],
  ): Promise<ScratchLab> {
    const lab = new ScratchLab(agents)
    try {
      await lab.up(objects, source)
      return lab
    } catch (reason) {
      await lab[Symbol.asyncDispose]()
      throw reason
    }
  }

  write(objects: readonly unknown[]): void {
    writeFileSync(
      join(this.manifests, 'objects.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    )
  }

  up(objects: readonly unknown[], source: UpOptions['source'] = 'file'): Promise<LabReport> {
    this.write(objects)
    return labUp({ name: this.name, state: this.manifests, agents: this.#agents, source })
  }

  apply(objects: readonly unknown[]): Promise<LabReport> {
    this.write(objects)
    return labApply({ name: this.name, state: this.manifests, agents: this.#agents })
  }

  probe(from: string, to: string, options: ProbeOptions = {}): Promise<ProbeResult> {
    return probe(this.name, parseWho(from), parseTarget(to), options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await labDown(this.name)
    } finally {
      rmSync(this.manifests, { recursive: true, force: true })
    }
  }
}

export const nodeObject = (name: string, internalIPs: readonly string[], addresses?: string): unknown => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    ...(addresses !== undefined && { annotations: { 'lab.kpng.io/addresses': addresses } }),
  },
  status: { addresses: internalIPs.map(address => ({ type: 'InternalIP', address })) },
})

/** Ports like `80/TCP`; a Service's port has the slice's port number, and its name. */
export const serviceObject = (
  name: string,
  clusterIP: string,
  ports: readonly string[] = ['80/TCP', '80/UDP'],
): unknown => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'default', name },
  spec: { clusterIP, clusterIPs: [clusterIP], ports: ports.map(portObject) },
})

const portObject = (text: string) => {
  const [port, protocol] = text.split('/')
  return { name: `p-${port}-${protocol?.toLowerCase()}`, port: Number(port), protocol }
}

/** Ports like `53/UDP`; endpoints that are not ready unless asked for. All slices belong to the Service `web`. */
export const sliceObject = (
  name: string,
  endpoints: ReadonlyArray<readonly [address: string, nodeName?: string]>,
  ports: readonly string[] = ['80/TCP', '80/UDP'],
  ready = false,
): unknown => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'default', name, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: endpoints[0]?.[0].includes(':') === true ? 'IPv6' : 'IPv4',
  ports: ports.map(portObject),
  endpoints: endpoints.map(([address, nodeName]) => ({
    addresses: [address],
    conditions: { ready },
    ...(nodeName !== undefined && { nodeName }),
  })),
})
