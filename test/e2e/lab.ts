import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Clients, clientsCommand } from './clients.ts'

export const kpngPath = join(import.meta.dirname, '../../bin/kpng')

export interface CommandResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs bin/kpng; never throws for an exit code. */
export async function kpng(args: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
  const child = spawn(kpngPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
  const closed = new Promise<number | null>((resolve, reject) =>
    child.on('close', resolve).on('error', reject),
  )
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { exitCode, stdout, stderr }
}

/** Runs bin/kpng and throws with everything it said where it does not exit 0. */
export async function kpngOk(args: readonly string[], timeoutMs?: number): Promise<string> {
  const result = await kpng(args, timeoutMs)
  if (result.exitCode === 0) return result.stdout
  throw new Error(`kpng ${args.join(' ')}: exit ${result.exitCode}\n${result.stdout}${result.stderr}`)
}

/** What `kpng lab probe -o json` prints. */
export interface ProbeResult {
  readonly sent: number
  readonly answered: Record<string, number>
  readonly refused: number
  readonly unreachable: number
  readonly timedOut: number
  readonly errors: Record<string, number>
  readonly sources: Record<string, number>
}

let labs = 0

/** A lab of a test's own, from objects; taken down when the test ends. */
export class TestLab implements AsyncDisposable {
  readonly name = `t${process.pid.toString(36)}${(labs++).toString(36)}`
  readonly #state = mkdtempSync(join(tmpdir(), 'kpng-test-'))

  private constructor() {}

  static async up(objects: readonly unknown[], options: readonly string[] = []): Promise<TestLab> {
    const lab = new TestLab()
    lab.write(objects)
    try {
      await kpngOk(['lab', 'up', '--name', lab.name, '--state', lab.#state, ...options])
    } catch (reason) {
      await lab[Symbol.asyncDispose]()
      throw reason
    }
    return lab
  }

  /** Replaces the manifests without telling the lab. */
  write(objects: readonly unknown[]): void {
    writeFileSync(
      join(this.#state, 'objects.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    )
  }

  /** Replaces the manifests; returns when every agent has synced them. */
  async apply(objects: readonly unknown[]): Promise<void> {
    this.write(objects)
    await kpngOk(['lab', 'apply', '--name', this.name, '--state', this.#state])
  }

  async probe(from: string, to: string, count = 1, options: readonly string[] = []): Promise<ProbeResult> {
    const args = ['lab', 'probe', '--name', this.name, '--from', from, '--to', to, '--count', `${count}`]
    return JSON.parse(await kpngOk([...args, ...options, '-o', 'json'], 120_000)) as ProbeResult
  }

  /** The instance of a node's agent. */
  instance(node: string): string {
    return `${this.name}-${node}`
  }

  exec(who: string, command: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
    return kpng(['lab', 'exec', '--name', this.name, who, '--', ...command], timeoutMs)
  }

  /** Starts a command whose lines the test reads while it runs. */
  start(who: string, command: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    return spawn(kpngPath, ['lab', 'exec', '--name', this.name, who, '--', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** A process with clients' sockets in that namespace and cgroup. */
  clients(who: string): Clients {
    const command = ['lab', 'exec', '--name', this.name, who, '--', ...clientsCommand]
    return new Clients(spawn(kpngPath, command, { stdio: 'pipe' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await kpngOk(['lab', 'down', '--name', this.name])
    } finally {
      rmSync(this.#state, { recursive: true, force: true })
    }
  }
}
