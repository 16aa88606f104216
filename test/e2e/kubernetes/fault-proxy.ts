import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { cert } from '../../../server/sources/kube/testing/certificate.ts'
import type { ApiHost } from './api-host.ts'
import type { FaultCommand, FaultCounts } from './fault-proxy-main.ts'

const port = 7443

/** Stands in front of the API server of a host. */
export class FaultProxy implements Disposable {
  readonly #host: ApiHost
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: Interface

  constructor(host: ApiHost) {
    this.#host = host
    const main = join(import.meta.dirname, 'fault-proxy-main.ts')
    this.#child = host.host.startWithInput([process.execPath, main, `${port}`, host.plane.url, host.plane.ca])
    this.#child.stderr.on('data', (piece: Buffer) => process.stderr.write(piece))
    this.#answers = createInterface({ input: this.#child.stdout })
  }

  async command(command: FaultCommand = {}): Promise<FaultCounts> {
    const said = once(this.#answers, 'line', { signal: AbortSignal.timeout(30_000) }) as Promise<[string]>
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    const [line] = await said
    return JSON.parse(line) as FaultCounts
  }

  /** Waits until the agent of the host has read everything, and watches all four kinds. */
  async isFollowed(): Promise<void> {
    await this.#host.agent.sync()
    await this.isWatched()
  }

  /** Waits until somebody watches all four kinds. */
  async isWatched(): Promise<void> {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await sleep(50))
      if ((await this.command()).watches === 4) return
    throw new Error(`nobody watches four kinds: ${this.#host.agent.log}`)
  }

  /** A kubeconfig whose server is the proxy, and whose credentials a bearer token. */
  kubeconfig(token: string): string {
    const cluster = {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority-data': Buffer.from(cert).toString('base64'),
    }
    const path = join(this.#host.plane.directory, 'fault-proxy.kubeconfig')
    const config = {
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token } }],
    }
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
    return path
  }

  [Symbol.dispose](): void {
    this.#answers.close()
    this.#child.kill('SIGKILL')
  }
}
