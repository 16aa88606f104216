import { type ControlPlane, openLabApi } from '@kpng/lab'
import type { Clients } from '../clients.ts'
import { kpngOk, TestLab } from '../lab.ts'
import { getText, postJson } from '../unix-http.ts'

/** What one socket of each of several attempts came to: the backends that answered and the errors, sorted. */
export type Reached = readonly string[]

/** A lab with a real API server, driven by kubectl; taken down when the test ends. */
export class KubeLab implements AsyncDisposable {
  readonly lab: TestLab
  readonly api: ControlPlane
  readonly #nodes: readonly string[]
  readonly #clients = new Map<string, Clients>()

  private constructor(lab: TestLab, nodes: readonly string[]) {
    this.lab = lab
    this.#nodes = nodes
    this.api = openLabApi(lab.name)
  }

  /** `nodes`: names of the nodes whose agents `settle` waits for. */
  static async up(objects: readonly unknown[], nodes: readonly string[]): Promise<KubeLab> {
    return new KubeLab(await TestLab.up(objects, ['--source', 'kube']), nodes)
  }

  /** kubectl, then every agent has what there is now. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const said = await this.api.kubectl(args)
    await this.settle()
    return said
  }

  /** `kubectl apply`, then every agent has it. */
  async apply(...objects: readonly unknown[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    await this.api.kubectl(['apply', '-f', '-'], { input })
    await this.settle()
  }

  /** `kubectl patch` of a Service, by merge. */
  async patch(service: string, patch: object, ...options: readonly string[]): Promise<void> {
    await this.kubectl('patch', 'service', service, '--type=merge', '-p', JSON.stringify(patch), ...options)
  }

  /** One field of an object, by JSON path. */
  async field(kind: string, name: string, path: string): Promise<string> {
    return await this.api.kubectl(['get', kind, name, '-o', `jsonpath=${path}`])
  }

  /** What `kpng lab ls` says of it. */
  async status(): Promise<string | undefined> {
    const labs = await kpngOk(['lab', 'ls', '--name', this.lab.name, '-o', 'json'])
    return (JSON.parse(labs) as Array<{ status: string }>)[0]?.status
  }

  async agentPid(node: string): Promise<number> {
    const status = await getText(this.#socketPath(node), '/v1/status')
    return (JSON.parse(status) as { pid: number }).pid
  }

  /** `kpng get services -o json` of a node. */
  async services(node: string): Promise<string> {
    return await kpngOk(['get', 'services', '--instance', this.lab.instance(node), '-o', 'json'])
  }

  /** Every agent has read all there is, and its maps say so. */
  async settle(): Promise<void> {
    await Promise.all(this.#nodes.map(node => postJson(this.#socketPath(node), '/v1/sync')))
  }

  #socketPath(node: string): string {
    return `/run/kpng/${this.lab.instance(node)}/status.sock`
  }

  /** Who answers `count` new sockets of WHO (`node/n1`, `pod/10.0.0.1`), or the errors they get. */
  async reached(
    who: string,
    address: string,
    port: number,
    { how = 'tcp', count = 30 }: { how?: 'tcp' | 'udp'; count?: number } = {},
  ): Promise<Reached> {
    const counts = await this.#clientsOf(who).run<Record<string, number>>(
      `tally(${how}, ${count}, "${address}", ${port})`,
    )
    return Object.keys(counts).map(nameOf).sort()
  }

  #clientsOf(who: string): Clients {
    const clients = this.#clients.get(who) ?? this.lab.clients(who)
    this.#clients.set(who, clients)
    return clients
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _lab = this.lab
    for (const clients of this.#clients.values()) await clients[Symbol.asyncDispose]()
    await this.api.close()
  }
}

/** A pod of the lab answers with a line of JSON; everything else is the name of an error. */
const nameOf = (answer: string): string =>
  answer.startsWith('{') ? (JSON.parse(answer) as { pod: string }).pod : answer
