import { ControlPlane, type ControlPlaneOptions } from '@kpng/lab'
import { TestHost } from '../agent.ts'
import { AgentProcess, noServers } from '../agent-process.ts'
import { kpngPath } from '../lab.ts'

const apiAddress = '172.31.255.1'

/** A host of a test's own with a real API server on it, and an agent that follows that as system:kube-proxy. */
export class ApiHost implements AsyncDisposable {
  readonly host: TestHost
  readonly plane: ControlPlane
  readonly agent: AgentProcess

  private constructor(host: TestHost, plane: ControlPlane) {
    this.host = host
    this.plane = plane
    this.agent = new AgentProcess(host.name)
  }

  /** The API server is ready on return; there is no agent yet. */
  static async up(options: Omit<ControlPlaneOptions, 'netns' | 'address'> = {}): Promise<ApiHost> {
    const host = new TestHost()
    try {
      host.addAddresses([`${apiAddress}/32`])
      const plane = await ControlPlane.start({ ...options, netns: host.name, address: apiAddress })
      return new ApiHost(host, plane)
    } catch (reason) {
      await host[Symbol.asyncDispose]()
      throw reason
    }
  }

  /** Starts `kpng kube … to-ebpf` and does not wait for anything. `source`: options before to-ebpf. */
  async startAgent(
    source?: readonly string[],
    options: readonly string[] = [],
    nodeName = 'node-a',
  ): Promise<void> {
    const from = source ?? ['--kubeconfig', await this.plane.kubeconfigFor({ user: 'system:kube-proxy' })]
    const child = this.host.start([
      kpngPath,
      ...['kube', ...from, 'to-ebpf', '--node-name', nodeName],
      ...['--instance', this.agent.instance, '--cgroup-root', this.host.cgroup, ...noServers, ...options],
    ])
    this.agent.startedAs(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _host = this.host
    await using _plane = this.plane
    await using _agent = this.agent
  }
}
