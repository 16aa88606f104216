import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TestHost } from './agent.ts'

/** The command of a process with clients' sockets (clients.py); to be started inside a namespace and cgroup. */
export const clientsCommand: readonly string[] = ['python3', '-B', join(import.meta.dirname, 'clients.py')]

/** Sockets in a process of their own, driven by pieces of Python, one at a time. */
export class Clients implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #reader: Interface
  readonly #lines: AsyncIterator<string>
  readonly #errors: Promise<string>
  readonly #ended: Promise<string>

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#reader = createInterface({ input: child.stdout })
    this.#lines = this.#reader[Symbol.asyncIterator]()
    this.#errors = text(child.stderr)
    this.#ended = new Promise(resolve =>
      child
        .once('exit', (code, signal) => resolve(`exit ${code ?? signal}`))
        .once('error', error => resolve(error.message)),
    )
    // What is written to one that has died is told by the answer that does not come.
    child.stdin.on('error', () => {})
  }

  static on(host: TestHost): Clients {
    return new Clients(host.startWithInput(clientsCommand))
  }

  /** In a network namespace that nothing but its process holds, with these addresses on its loopback. */
  static inNewNamespace(host: TestHost, addresses: readonly string[]): Clients {
    const steps = addresses.map(
      address => `ip addr add ${address} dev lo${address.includes(':') ? ' nodad' : ''}`,
    )
    const script = ['ip link set lo up', ...steps, 'exec "$@"'].join(' && ')
    return new Clients(host.startWithInput(['unshare', '-n', 'sh', '-c', script, 'sh', ...clientsCommand]))
  }

  /** The value of an expression, or what statements leave in `result`. */
  async run<T>(code: string): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(code)}\n`)
    const line = await this.#lines.next()
    if (line.done)
      throw new Error(`the clients ended (${await this.#ended}) at: ${code}\n${await this.#errors}`)
    const answer = JSON.parse(line.value) as { result: T } | { error: string }
    if ('error' in answer) throw new Error(answer.error)
    return answer.result
  }

  /** Ends them as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    this.#reader.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
