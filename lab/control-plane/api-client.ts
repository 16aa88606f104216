import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { KpngError } from '@kpng/api'
import { netnsPath } from '../names.ts'

/** What api-client-main.ts reads. */
export interface ApiRequest {
  readonly id: number
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  /** Without a byte in between. */
  readonly timeoutMs: number
  readonly watch?: true
}

/** What it writes. */
export type ApiAnswer =
  | { readonly id: number; readonly line: string }
  | { readonly id: number; readonly status: number; readonly body: string }
  | { readonly id: number; readonly error: string }

export interface ApiResponse {
  readonly status: number
  /** What the server said, from JSON; text where it said none. */
  readonly body: unknown
}

export interface RequestOptions {
  /** Sent as JSON. */
  readonly body?: unknown
  /** Default: application/json. */
  readonly contentType?: string
  /** Default: a minute. */
  readonly timeoutMs?: number
}

interface Waiting extends PromiseWithResolvers<ApiResponse> {
  readonly onLine: (line: string) => void
}

export interface ApiClientOptions {
  readonly url: string
  readonly netns: string
  /** Paths of PEM files. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/**
 * Requests to an API server in a network namespace that this process is not in, through a child that is: many at a
 * time, far cheaper than a kubectl each.
 */
export class ApiClient implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, Waiting>()
  readonly #closed: Promise<void>
  #end: string | undefined
  #nextId = 1

  constructor({ url, netns, ca, certificate, key }: ApiClientOptions) {
    const main = join(import.meta.dirname, 'api-client-main.ts')
    this.#child = spawn(
      'nsenter',
      [`--net=${netnsPath(netns)}`, '--', process.execPath, main, url, ca, certificate, key],
      { stdio: 'pipe' },
    )
    let said = ''
    this.#child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    createInterface({ input: this.#child.stdout }).on('line', line => this.#settle(line))
    // What is written to one that has died is told by the answer that does not come.
    this.#child.stdin.on('error', () => undefined)
    this.#closed = new Promise(resolve => {
      const end = (why: string): void => {
        this.#end = `the client of the API server has ended (${why}) ${said.trim()}`
        for (const { reject } of this.#waiting.values()) reject(new KpngError('io', this.#end))
        this.#waiting.clear()
        resolve()
      }
      this.#child.once('close', (code, signal) => end(`${code ?? signal}`))
      this.#child.once('error', reason => end(reason.message))
    })
  }

  /** Whatever status the server answers. Throws io where it does not answer. */
  request(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse> {
    const { body, contentType, timeoutMs = 60_000 } = options
    return this.#ask({
      method,
      path,
      timeoutMs,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(contentType !== undefined && { contentType }),
    })
  }

  /** Gives each line of a watch until the server ends it or says nothing for that time. Throws io then. */
  watch(path: string, onLine: (line: string) => void, timeoutMs: number): Promise<ApiResponse> {
    return this.#ask({ method: 'GET', path, timeoutMs, watch: true }, onLine)
  }

  async #ask(
    request: Omit<ApiRequest, 'id'>,
    onLine: (line: string) => void = () => undefined,
  ): Promise<ApiResponse> {
    if (this.#end !== undefined) throw new KpngError('io', this.#end)
    const id = this.#nextId++
    const waiting = { ...Promise.withResolvers<ApiResponse>(), onLine }
    this.#waiting.set(id, waiting)
    this.#child.stdin.write(`${JSON.stringify({ id, ...request } satisfies ApiRequest)}\n`)
    return await waiting.promise
  }

  #settle(text: string): void {
    const answer = JSON.parse(text) as ApiAnswer
    const waiting = this.#waiting.get(answer.id)
    if ('line' in answer) {
      waiting?.onLine(answer.line)
      return
    }
    this.#waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(new KpngError('io', answer.error))
    else waiting?.resolve({ status: answer.status, body: parse(answer.body) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    this.#child.kill('SIGKILL')
    await this.#closed
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
