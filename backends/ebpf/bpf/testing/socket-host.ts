import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroup2Root } from '@kpng/ebpf/testing'

const folder = import.meta.dirname
let hosts = 0

/** Path of the client made of client.c; compiled unless this very source was before. */
function clientProgram(): string {
  const source = readFileSync(join(folder, 'client.c'))
  const stamp = createHash('sha256').update(source).digest('hex').slice(0, 16)
  const build = join(folder, '../build')
  const program = join(build, `client-${stamp}`)
  if (existsSync(program)) return program
  mkdirSync(build, { recursive: true })
  // Under a name of its own first: several test processes may compile at once.
  const draft = `${program}.${process.pid}`
  const args = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', draft, join(folder, 'client.c')]
  execFileSync('gcc', args)
  renameSync(draft, program)
  return program
}

/** A child process that is driven by lines: a command in, an answer out, one at a time. */
export class Client {
  readonly process: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface
  readonly #ended: Promise<void>

  constructor(process: ChildProcess) {
    this.process = process
    if (process.stdout === null) throw new Error('the client has no standard output')
    this.#reader = createInterface({ input: process.stdout })
    this.#lines = this.#reader[Symbol.asyncIterator]()
    this.#ended = new Promise(resolve => process.once('exit', () => resolve()).once('error', () => resolve()))
  }

  /** The answer to one command of client.c, without "ok"; errors as "ECONNREFUSED". */
  async call(command: string): Promise<string> {
    this.process.stdin?.write(`${command}\n`)
    const line = await this.#lines.next()
    if (line.done) throw new Error(`the client ended at: ${command}`)
    return line.value.replace(/^(ok|err) ?/, '')
  }

  /** Answers that are tallies: "10.1.0.1#80=5 EAGAIN=1". */
  async tally(command: string): Promise<Record<string, number>> {
    const answer = await this.call(command)
    return Object.fromEntries(
      answer
        .split(' ')
        .filter(pair => pair !== '')
        .map(pair => {
          const [name = '', count = ''] = pair.split('=')
          return [name, Number(count)]
        }),
    )
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#ended
    this.#reader.close()
  }
}

/** A network namespace with addresses on its loopback and no way out, and a cgroup for clients. */
export class SocketHost implements AsyncDisposable {
  readonly name: string
  readonly cgroup: string
  readonly #clients: Client[] = []

  constructor() {
    this.name = `kpng-dp${process.pid.toString(36)}${(hosts++).toString(36)}`
    this.cgroup = join(cgroup2Root(), this.name)
    mkdirSync(this.cgroup)
    try {
      execFileSync('ip', ['netns', 'add', this.name])
      this.#ip(['link set lo up'])
    } catch (reason) {
      this.#removeNamespace()
      rmdirSync(this.cgroup)
      throw reason
    }
  }

  #removeNamespace(): void {
    if (existsSync(`/run/netns/${this.name}`)) execFileSync('ip', ['netns', 'del', this.name])
  }

  /** One TCP and one UDP server on each of "10.1.0.1#80", on the loopback of this namespace, outside of the cgroup. */
  async serve(...names: readonly string[]): Promise<void> {
    const addresses = [...new Set(names.map(name => name.split('#')[0] ?? ''))]
    this.#ip(addresses.map(address => `addr add ${address}/${address.includes(':') ? 128 : 32} dev lo`))
    const server = this.#spawn(['python3', join(folder, 'server.py'), ...names], '')
    const client = new Client(server)
    this.#clients.push(client)
    const ready = await client.call('')
    if (ready !== 'ready') throw new Error(`the server says ${ready}`)
  }

  /** A client process inside of namespace and cgroup. */
  client(language: 'c' | 'python' = 'c'): Client {
    const command = language === 'c' ? [clientProgram()] : ['python3', join(folder, 'client.py')]
    const client = new Client(this.#spawn(command, `echo 0 > ${this.cgroup}/cgroup.procs && `))
    this.#clients.push(client)
    return client
  }

  /** Sets a sysctl of the namespace. */
  sysctl(name: string, value: string): void {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`
    execFileSync('nsenter', [`--net=/run/netns/${this.name}`, 'sh', '-c', `echo ${value} > ${path}`])
  }

  #spawn(command: readonly string[], before: string): ChildProcess {
    const script = `${before}exec nsenter --net=/run/netns/${this.name} -- "$@"`
    return spawn('sh', ['-c', script, 'sh', ...command], { stdio: ['pipe', 'pipe', 'inherit'] })
  }

  #ip(commands: readonly string[]): void {
    execFileSync('ip', ['-n', this.name, '-batch', '-'], { input: `${commands.join('\n')}\n` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.kill()))
    try {
      this.#removeNamespace()
    } finally {
      await this.#removeCgroup()
    }
  }

  async #removeCgroup(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        rmdirSync(this.cgroup)
        return
      } catch (reason) {
        // A process that has just ended may still be counted in it.
        if (attempt === 50) throw reason
        await sleep(20)
      }
    }
  }
}
