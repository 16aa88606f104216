import { Agent, request } from 'node:https'

/** How to reach an API server: contents of PEM files. */
export interface ApiAccess {
  readonly url: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

export interface StampedAnswer {
  readonly body: unknown
  /** CLOCK_MONOTONIC, before the request was sent and when the last of the answer had come. */
  readonly sentNs: bigint
  readonly answeredNs: bigint
}

export type Send = (method: string, path: string, body?: unknown) => Promise<unknown>

const contentType = (method: string): string =>
  method === 'PATCH' ? 'application/json-patch+json' : 'application/json'

/** An API server that is in this process's own network namespace: requests are stamped where they are made. */
export class Api implements Disposable {
  readonly #url: string
  readonly #agent: Agent

  constructor({ url, ca, certificate, key }: ApiAccess) {
    this.#url = url
    this.#agent = new Agent({ keepAlive: true, maxSockets: 64, ca, cert: certificate, key })
  }

  /** A body is sent as JSON, that of a PATCH is a JSON patch. Throws unless the server says that it was done. */
  stamped(method: string, path: string, body?: unknown): Promise<StampedAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<StampedAnswer>()
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = { accept: 'application/json', 'content-type': contentType(method) }
    const sentNs = process.hrtime.bigint()
    const asked = request(new URL(path, this.#url), { agent: this.#agent, method, headers }, response => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const answeredNs = process.hrtime.bigint()
        const said = Buffer.concat(pieces).toString()
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve({ body: JSON.parse(said), sentNs, answeredNs })
        else reject(new Error(`${method} ${path}: ${status} ${said}`))
      })
    })
    asked.on('error', reject)
    asked.end(text)
    return promise
  }

  /** Follows a kind from now on: `take` gets each event as it is on the wire and when its last byte had come. */
  async watch(path: string, take: (event: string, atNs: bigint) => void): Promise<Disposable> {
    const list = (await this.send('GET', `${path}?limit=1`)) as { metadata: { resourceVersion: string } }
    const url = new URL(`${path}?watch=1&resourceVersion=${list.metadata.resourceVersion}`, this.#url)
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const asked = request(url, { agent: this.#agent, headers: { accept: 'application/json' } }, response => {
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        const atNs = process.hrtime.bigint()
        const lines = (rest + piece).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) take(line, atNs)
      })
      // Cut off when it is disposed of.
      response.on('error', () => undefined)
      resolve({ [Symbol.dispose]: () => void response.destroy() })
    })
    asked.on('error', reject)
    asked.end()
    return await promise
  }

  readonly send: Send = async (method, path, body) => (await this.stamped(method, path, body)).body;

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Does something with 0, 1, … count - 1, so many at a time. */
export async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker))
}
