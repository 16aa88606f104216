import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import type { RequestOptions } from 'node:https'
// Not by the package's door, behind which are 50 MB of every API there is.
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js'
import { ApiFailure } from './api-failure.ts'
import { type ClusterAccess, readMaterial } from './cluster-access.ts'
import type { Credentials, ExecPlugin, Login } from './login.ts'

/** A plugin asks somebody over the network, and nobody at a terminal. */
const TIMEOUT_MS = 30_000
/** Of what a plugin says, on each of its outputs. */
const MAX_OUTPUT_BYTES = 1 << 20

export interface ExecLoginOptions {
  readonly user: string
  readonly plugin: ExecPlugin
  /** How long a plugin may take. Default 30 s. */
  readonly timeoutMs?: number
}

/**
 * Credentials from an exec plugin. client-node runs it and remembers what it said until that expires; the bounds on
 * time and output, that there is no terminal, and what the plugin is told of the cluster are ours.
 */
export class ExecLogin implements Login {
  readonly #options: ExecLoginOptions
  readonly #access: ClusterAccess
  readonly #children = new Set<ChildProcess>()
  #auth = this.#newAuth()
  #asking: Promise<Credentials> | undefined
  #closed = false
  /** Why the last child was killed. */
  #killed = ''

  constructor(options: ExecLoginOptions, access: ClusterAccess) {
    this.#options = options
    this.#access = access
  }

  async current(): Promise<Credentials> {
    // Who asks while the plugin is running waits for that one.
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  refuse(): void {
    this.#auth = this.#newAuth()
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const child of this.#children) kill(child)
  }

  async #ask(): Promise<Credentials> {
    const { user, plugin } = this.#options
    this.#killed = ''
    const options: RequestOptions & { headers: Record<string, string> } = { headers: {} }
    try {
      const exec = { ...plugin, env: [...plugin.env, await this.#info()] }
      await this.#auth.applyAuthentication({ name: user, exec }, options)
    } catch (reason) {
      this.refuse() // an answer that was no use is remembered as well
      throw this.#failure(reason)
    }
    const { cert, key, headers } = options
    const token = headers.Authorization?.replace(/^Bearer /, '')
    const clientCertificate = cert && key ? { cert: `${cert}`, key: `${key}` } : undefined
    if (token === undefined && clientCertificate === undefined) {
      this.refuse()
      throw this.#failure(new Error('it gave neither a token nor a client certificate with its key'))
    }
    return { token, clientCertificate }
  }

  #newAuth(): ExecAuth {
    const run = (command: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess =>
      this.#spawn(command, args, options)
    // Private to client-node, whose own tests put theirs in its place in the same way.
    return Object.assign<ExecAuth, object>(new ExecAuth(), { execFn: run })
  }

  #spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    if (this.#closed) throw new Error('nobody needs it any more')
    // A session of its own: no terminal to ask at, and whatever it starts ends with it.
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS
    const timer = setTimeout(() => end(`it did not answer within ${timeoutMs / 1000} s`), timeoutMs)
    const end = (why: string): void => {
      this.#killed = why
      kill(child)
    }
    for (const output of [child.stdout, child.stderr]) {
      let bytes = 0
      output?.on('data', (piece: string) => {
        bytes += piece.length
        if (bytes > MAX_OUTPUT_BYTES) end('it says more than 1 MiB')
      })
    }
    this.#children.add(child)
    child.once('close', () => {
      clearTimeout(timer)
      this.#children.delete(child)
    })
    return child
  }

  /** As Kubernetes tells plugins what is expected of them. */
  async #info(): Promise<ExecPlugin['env'][number]> {
    const { apiVersion, provideClusterInfo } = this.#options.plugin
    const cluster = provideClusterInfo ? await clusterInfo(this.#access) : undefined
    const info = {
      apiVersion,
      kind: 'ExecCredential',
      spec: { interactive: false, ...(cluster && { cluster }) },
    }
    return { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }
  }

  #failure(reason: unknown): ApiFailure {
    const { user, plugin } = this.#options
    const missing = reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'
    const hint = missing && plugin.installHint !== '' ? `: ${plugin.installHint}` : ''
    const said = reason instanceof SyntaxError ? 'it did not answer with JSON' : firstLine(reason)
    const what = this.#killed || said || 'it failed and said nothing'
    return new ApiFailure(
      'unreachable',
      `user "${user}": no credentials from ${plugin.command}: ${what}${hint}`.slice(0, 1000),
      { cause: reason },
    )
  }
}

/**
 * With everything that it has started. Only while somebody holds its outputs: one that has ended may have left others
 * behind, whose group keeps its number.
 */
function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone by itself meanwhile.
  }
}

function firstLine(reason: unknown): string {
  const text = reason instanceof Error ? reason.message : String(reason)
  return (text.trim().split('\n')[0] ?? '').slice(0, 300)
}

async function clusterInfo(access: ClusterAccess): Promise<object> {
  const { certificateAuthority, tlsServerName, insecureSkipTlsVerify, proxy } = access
  const authority = certificateAuthority && (await readMaterial(certificateAuthority))
  return {
    server: access.server.href.replace(/\/$/, ''),
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
    ...(insecureSkipTlsVerify && { 'insecure-skip-tls-verify': true }),
    ...(authority && { 'certificate-authority-data': Buffer.from(authority).toString('base64') }),
    ...(proxy && { 'proxy-url': proxy.href }),
    config: access.execConfig ?? null,
  }
}
