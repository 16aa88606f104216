import { execFileSync } from 'node:child_process'
import { TestHost } from '../../test/e2e/agent.ts'

let links = 0

/**
 * A node: a namespace and a cgroup of its own, and a cable to the network namespace of this process, where the API
 * server is. Everything else is out of reach: there is no other route.
 */
export class ProxyHost implements AsyncDisposable {
  readonly host = new TestHost()
  readonly nodeName: string
  readonly address: string

  /** `routes`: what lies behind the cable. */
  constructor(nodeName: string, routes: readonly string[]) {
    this.nodeName = nodeName
    const link = links++
    const gateway = `172.31.254.${link * 4 + 1}`
    this.address = `172.31.254.${link * 4 + 2}`
    const device = `kpb${link}`
    const ip = (command: string): void => {
      execFileSync('ip', command.split(' '))
    }
    ip(`link add ${device} type veth peer name eth0 netns ${this.host.name}`)
    ip(`addr add ${gateway}/30 dev ${device}`)
    ip(`link set ${device} up`)
    this.host.ip(`addr add ${this.address}/30 dev eth0`)
    this.host.ip('link set eth0 up')
    for (const route of routes) this.host.ip(`route add ${route} via ${gateway}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]()
  }
}
