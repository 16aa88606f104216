import assert from 'node:assert/strict'
import { type TestAgent, TestHost } from './agent.ts'
import type { AgentAnswer } from './agent-process.ts'
import { Clients } from './clients.ts'
import { kpngOk } from './lab.ts'
import { node } from './manifests.ts'

export interface StageSpec {
  /** Addresses on the loopback with a TCP and a UDP server on each port. */
  readonly pods: readonly string[]
  /** Default: 8080. */
  readonly ports?: readonly number[]
  /** The node's own addresses, with their prefix lengths; the first of each family is its InternalIP. */
  readonly nodeAddresses?: readonly string[]
  readonly options?: readonly string[]
  /** See TestAgent. */
  readonly around?: readonly string[]
}

interface Counts {
  readonly connections: number
  readonly datagrams: number
  readonly open: number
  readonly refused: number
  readonly unreachable: number
}

/**
 * One node for a test file: an agent, backends and a process with clients' sockets. Made in `beforeEach` by the first
 * test: where a name pattern leaves no test of a file, node:test runs its `before` all the same but not its `after`.
 */
export class Stage implements AsyncDisposable {
  readonly host: TestHost
  readonly agent: TestAgent
  #clients: Clients | undefined
  readonly node: unknown

  private constructor(spec: StageSpec) {
    const addresses = spec.nodeAddresses ?? ['192.168.78.1/32', 'fd00:78::1/128']
    this.node = node(
      'node-a',
      addresses.map(address => address.replace(/\/.*/, '')),
    )
    this.host = new TestHost()
    this.agent = this.host.agent()
    this.agent.around = spec.around ?? []
    this.host.addAddresses([...addresses, ...spec.pods])
  }

  static async up(spec: StageSpec): Promise<Stage> {
    const stage = new Stage(spec)
    try {
      const ports = spec.ports ?? [8080]
      await stage.host.listen(
        spec.pods.flatMap(address =>
          ports.flatMap(port => [
            { address, port },
            { address, port, protocol: 'udp' as const },
          ]),
        ),
      )
      stage.agent.write([stage.node])
      await stage.agent.start(spec.options)
      return stage
    } catch (reason) {
      await stage[Symbol.asyncDispose]()
      throw reason
    }
  }

  get clients(): Clients {
    this.#clients ??= Clients.on(this.host)
    return this.#clients
  }

  /** Replaces everything but the Node; the agent must have nothing to say against it. */
  async apply(...objects: readonly unknown[]): Promise<void> {
    assert.deepEqual((await this.tryApply(...objects)).problems, [])
  }

  /** Replaces the manifests without telling the agent. */
  write(...objects: readonly unknown[]): void {
    this.agent.write([this.node, ...objects])
  }

  async tryApply(...objects: readonly unknown[]): Promise<AgentAnswer> {
    return await this.agent.apply([this.node, ...objects])
  }

  /** How many of `count` new sockets each backend answered. */
  async tally(
    vip: string,
    port: number,
    count: number,
    how: Attempt = 'tcp',
  ): Promise<Record<string, number>> {
    return await this.clients.run(`tally(${how}, ${count}, "${vip}", ${port})`)
  }

  /** Who answered 60 new sockets, or the errors they got, sorted. */
  async reached(vip: string, port = 80, how: Attempt = 'tcp'): Promise<readonly string[]> {
    return Object.keys(await this.tally(vip, port, 60, how)).sort()
  }

  /** `kpng … -o json`. */
  async kpng<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await kpngOk([...args, '--instance', this.agent.instance, '-o', 'json'])) as T
  }

  /** The backends of the kernel's list for a destination, sorted. */
  async programmed(destination: string): Promise<readonly string[]> {
    return (await this.kpng<{ programmed: string[] }>('explain', destination)).programmed.sort()
  }

  /** Counters of each service port, by "name:port". */
  async counts(): Promise<Readonly<Record<string, Counts>>> {
    const rows = await this.kpng<{ name: string; portName: string; counts: Counts }[]>('get', 'services')
    return Object.fromEntries(rows.map(row => [`${row.name}:${row.portName}`, row.counts]))
  }

  /** Counters of each backend, by "namespace/name:port address:port". */
  async backendCounts(): Promise<Readonly<Record<string, Counts>>> {
    const rows = await this.kpng<{ service: string; backend: string; counts: Counts }[]>('get', 'backends')
    return Object.fromEntries(rows.map(row => [`${row.service} ${row.backend}`, row.counts]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients?.[Symbol.asyncDispose]()
    await this.host[Symbol.asyncDispose]()
  }
}

/** The functions of clients.py that make one new socket and tell who answered it. */
export type Attempt = 'tcp' | 'udp' | 'udp_connected'
