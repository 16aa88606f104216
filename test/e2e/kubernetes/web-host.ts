import { setTimeout as sleep } from 'node:timers/promises'
import { endpointSlice, node, service } from '../manifests.ts'
import { ApiHost } from './api-host.ts'

const webAddress = '10.96.0.50'
export const backends = ['10.180.0.1', '10.180.0.2'] as const

/** The one slice of the Service web. */
export const webSlice = (...endpoints: readonly string[]) =>
  endpointSlice({ service: 'web', name: 'web-1', ports: [{ port: 8080 }], endpoints })

/** A real API server with a Service web at webAddress, whose backends answer with their own address. */
export class WebHost implements AsyncDisposable {
  readonly api: ApiHost

  private constructor(api: ApiHost) {
    this.api = api
  }

  static async up(): Promise<WebHost> {
    const api = await ApiHost.up()
    const web = new WebHost(api)
    try {
      api.host.addAddresses(backends.map(address => `${address}/32`))
      await api.host.listen(backends.map(address => ({ address, port: 8080 })))
      await web.apply(
        node('node-a', ['192.168.78.1']),
        service({ name: 'web', clusterIPs: [webAddress], ports: [{ name: '', port: 80 }] }),
        webSlice(backends[0]),
      )
      return web
    } catch (reason) {
      await web[Symbol.asyncDispose]()
      throw reason
    }
  }

  /** `kubectl apply`; waits for nobody. */
  async apply(...objects: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    await this.api.plane.kubectl(['apply', '-f', '-'], { input })
  }

  /** A token of a service account with the rights of system:node-proxier, and no other. */
  async proxierToken(): Promise<string> {
    const name = 'kpng'
    const subject = { kind: 'ServiceAccount', name, namespace: 'default' }
    const roleRef = {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'system:node-proxier',
    }
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    await this.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } },
      { apiVersion, kind: 'ClusterRoleBinding', metadata: { name }, roleRef, subjects: [subject] },
    )
    return await this.api.plane.tokenFor('default', name)
  }

  /** Waits for the maps to have exactly this backend of web. */
  async serves(backend: string, timeoutMs?: number): Promise<void> {
    const wanted = (lines: string): boolean =>
      backends.every(it => lines.includes(`${it}:8080`) === (it === backend))
    await this.api.agent.mapsWhen(wanted, timeoutMs)
  }

  /** What connecting to web comes to: 'connected', or the name of the error. */
  async connect(): Promise<string> {
    return await this.api.host.python<string>(
      `
import errno, json, socket, sys
try:
    socket.create_connection((sys.argv[1], 80), 2).close()
    print(json.dumps("connected"))
except OSError as e:
    print(json.dumps(errno.errorcode.get(e.errno, str(e))))
`,
      webAddress,
    )
  }

  /** Waits for the problems to be so. */
  async problemsWhen(wanted: (messages: readonly string[]) => boolean, timeoutMs = 60_000): Promise<void> {
    let messages: readonly string[] = []
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(50)) {
      messages = await this.api.agent.problems().catch(() => [])
      if (wanted(messages)) return
    }
    throw new Error(`the problems are not as expected:\n${messages.join('\n')}\n${this.api.agent.log}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]()
  }
}
