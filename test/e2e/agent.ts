import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
} from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AgentAnswer, AgentProcess, noServers } from './agent-process.ts'
import { type CommandResult, kpngPath } from './lab.ts'

let hosts = 0

/** A network namespace and a cgroup of a test's own: a node with nothing on it, with no way out. */
export class TestHost implements AsyncDisposable {
  readonly name: string
  readonly cgroup: string
  readonly #made = new AsyncDisposableStack()
  readonly #agents: TestAgent[] = []
  readonly #servers: ChildProcess[] = []

  constructor() {
    this.name = `kpng-h${process.pid.toString(36)}${(hosts++).toString(36)}`
    this.cgroup = `/sys/fs/cgroup/unified/${this.name}`
    mkdirSync(this.cgroup)
    this.#made.defer(() => removeCgroup(this.cgroup))
    try {
      execFileSync('ip', ['netns', 'add', this.name])
      this.#made.defer(() => {
        execFileSync('ip', ['netns', 'del', this.name])
      })
      this.ip('link set lo up')
    } catch (reason) {
      void this.#made.disposeAsync()
      throw reason
    }
  }

  /** Runs `ip` in the namespace. */
  ip(command: string): string {
    return execFileSync('ip', ['-n', this.name, ...command.split(' ')], { encoding: 'utf8' })
  }

  /** Puts addresses on the loopback, usable at once. */
  addAddresses(addresses: readonly string[]): void {
    const lines = addresses.map(
      address => `addr add ${address} dev lo${address.includes(':') ? ' nodad' : ''}\n`,
    )
    execFileSync('ip', ['-n', this.name, '-batch', '-'], { input: lines.join('') })
  }

  /** The command that runs another inside the namespace and the cgroup. */
  wrap(command: readonly string[], cgroup = this.cgroup): string[] {
    const script = `echo 0 > ${cgroup}/cgroup.procs && exec nsenter --net=/run/netns/${this.name} -- "$@"`
    return ['sh', '-c', script, 'sh', ...command]
  }

  start(command: readonly string[], cgroup?: string): ChildProcess {
    const [program = '', ...args] = this.wrap(command, cgroup)
    return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  }

  startWithInput(command: readonly string[]): ChildProcessWithoutNullStreams {
    const [program = '', ...args] = this.wrap(command)
    return spawn(program, args, { stdio: 'pipe' })
  }

  /** TCP servers that accept and close, and UDP servers that answer with their own address, until the host goes. */
  async listen(sockets: ReadonlyArray<{ address: string; port: number; protocol?: 'udp' }>): Promise<void> {
    const words = sockets.map(({ address, port, protocol = 'tcp' }) => `${protocol} ${address} ${port}`)
    const child = this.start(['python3', join(import.meta.dirname, 'servers.py'), ...words])
    this.#servers.push(child)
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve())
      child.stderr?.once('data', (piece: Buffer) => reject(new Error(piece.toString())))
      child.once('error', reject)
    })
  }

  async run(command: readonly string[], cgroup?: string, timeoutMs = 30_000): Promise<CommandResult> {
    const [program = '', ...args] = this.wrap(command, cgroup)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    const closed = new Promise<number | null>((resolve, reject) =>
      child.on('close', resolve).on('error', reject),
    )
    const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), closed])
    return { exitCode, stdout, stderr }
  }

  /** Runs a Python program with clients' sockets; its standard output is JSON. */
  async python<T>(program: string, ...args: string[]): Promise<T> {
    const result = await this.run(['python3', '-c', program, ...args])
    if (result.exitCode !== 0)
      throw new Error(`python exit ${result.exitCode}\n${result.stdout}${result.stderr}`)
    return JSON.parse(result.stdout) as T
  }

  /** An agent for this host; disposed of with it. */
  agent(suffix = '', cgroup = this.cgroup): TestAgent {
    const agent = new TestAgent(this, `${this.name}${suffix}`, cgroup)
    this.#agents.push(agent)
    return agent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What fails is told at the end: nothing is left behind for its sake.
    await using _made = this.#made
    for (const server of this.#servers.splice(0)) server.kill('SIGKILL')
    for (const agent of this.#agents.splice(0)) this.#made.use(agent)
  }
}

async function removeCgroup(path: string): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name))
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(path)
      return
    } catch (reason) {
      // A process that has just ended may still be counted in it.
      if (attempt === 50) throw reason
      await sleep(20)
    }
  }
}

/** An agent on manifests of the test's own. */
export class TestAgent extends AgentProcess {
  readonly #host: TestHost
  readonly #cgroup: string
  readonly #state = mkdtempSync(join(tmpdir(), 'kpng-test-'))
  /** A command that starts another: what the agent is started by. */
  around: readonly string[] = []

  constructor(host: TestHost, instance: string, cgroup: string) {
    super(instance)
    this.#host = host
    this.#cgroup = cgroup
  }

  /** Replaces the manifests by rename, as an atomic writer does. */
  write(objects: readonly unknown[]): void {
    this.writeRaw(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  }

  writeRaw(content: string): void {
    const path = join(this.#state, 'objects.json')
    writeFileSync(`${path}.part`, content)
    renameSync(`${path}.part`, path)
  }

  /** Starts the agent; resolves when its first view is in the kernel. */
  async start(options: readonly string[] = [], nodeName = 'node-a'): Promise<void> {
    this.spawn(options, nodeName)
    await this.sync()
  }

  /** Starts the agent and does not wait for anything. */
  spawn(options: readonly string[] = [], nodeName = 'node-a'): ChildProcess {
    const child = this.#host.start(
      [
        ...this.around,
        kpngPath,
        ...['file', '-i', this.#state, 'to-ebpf', '--node-name', nodeName],
        ...['--instance', this.instance, '--cgroup-root', this.#cgroup, ...noServers, ...options],
      ],
      this.#host.cgroup,
    )
    this.startedAs(child)
    return child
  }

  /** Writes the manifests and waits until the kernel has them. */
  async apply(objects: readonly unknown[]): Promise<AgentAnswer> {
    this.write(objects)
    return await this.sync()
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      await super[Symbol.asyncDispose]()
    } finally {
      rmSync(this.#state, { recursive: true, force: true })
    }
  }
}
