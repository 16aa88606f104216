import { execFileSync } from 'node:child_process'
import { TestHost } from './agent.ts'

export interface HttpAnswer {
  /** 0: nobody listens. */
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A host and, behind a wire, another one: a load balancer's view of a node. */
export class Neighbours implements AsyncDisposable {
  readonly node = new TestHost()
  readonly client: TestHost

  /** The node has 192.168.78.1 and fd00:78::1, the client 192.168.78.2 and fd00:78::2. */
  constructor() {
    this.client = new TestHost()
    try {
      this.#wire()
    } catch (reason) {
      void this[Symbol.asyncDispose]()
      throw reason
    }
  }

  #wire(): void {
    const [node, client] = [this.node.name, this.client.name]
    const wire = `link add eth0 netns ${node} type veth peer name eth0 netns ${client}`
    execFileSync('ip', wire.split(' '))
    for (const [host, last] of [
      [this.node, 1],
      [this.client, 2],
    ] as const) {
      host.ip(`addr add 192.168.78.${last}/24 dev eth0`)
      host.ip(`addr add fd00:78::${last}/64 dev eth0 nodad`)
      host.ip('link set eth0 up')
    }
  }

  /** From the client, unless it is told otherwise. */
  async curl(url: string, args: readonly string[] = [], from = this.client): Promise<HttpAnswer> {
    return await curl(from, url, args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _node = this.node
    await using _client = this.client
  }
}

/** One request by curl inside of a host. */
export async function curl(host: TestHost, url: string, args: readonly string[] = []): Promise<HttpAnswer> {
  const result = await host.run(['curl', '-gsSi', '--http1.1', '--max-time', '5', ...args, url])
  if (result.exitCode === 7) return { status: 0, headers: {}, body: '' }
  if (result.exitCode !== 0) throw new Error(`curl ${url}: exit ${result.exitCode} ${result.stderr}`)
  const end = result.stdout.indexOf('\r\n\r\n')
  const [first = '', ...lines] = result.stdout.slice(0, end).split('\r\n')
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return {
    status: Number(first.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: result.stdout.slice(end + 4),
  }
}
