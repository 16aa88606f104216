import { proxyResources } from '../resources.ts'
import { FakeBody } from './body.ts'
import { protobufEvent, protobufObject, protobufType } from './protobuf.ts'
import { selects } from './selectors.ts'

/** An object as a server has it: JSON with an identity. */
export interface KubeJson {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly resourceVersion?: string
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

type RequestMode = 'list' | 'stream' | 'watch'

export interface FakeRequest {
  readonly kind: string
  readonly mode: RequestMode
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** Something that was to be written. */
export interface FakeWrite {
  readonly path: string
  readonly method: string
  readonly contentType: string
  readonly body: string
}

export interface FakeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: FakeBody
}

/** Instead of the answer; 'refuse': no answer, 'hang': none ever. */
type Fault = FakeAnswer | 'refuse' | 'hang'

interface Change {
  readonly version: number
  readonly before: KubeJson | undefined
  readonly after: KubeJson | undefined
}

interface OpenWatch {
  readonly query: URLSearchParams
  readonly encode: FakeEncoding
  readonly body: FakeBody
}

interface Table {
  readonly objects: Map<string, KubeJson>
  readonly changes: Change[]
  readonly watches: Set<OpenWatch>
}

/** How answers are written. */
interface FakeEncoding {
  readonly type: string
  object(object: Partial<KubeJson>): string | Uint8Array
  event(type: string, object: Partial<KubeJson>): string | Uint8Array
}

export const eventLine = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`

const json: FakeEncoding = {
  type: 'application/json',
  object: object => JSON.stringify(object),
  event: eventLine,
}
const protobuf: FakeEncoding = {
  type: protobufType,
  object: protobufObject,
  event: protobufEvent,
}

const KINDS = new Map(proxyResources({ nodeName: '' }).map(({ path, kind }) => [path, kind as string]))

export const answer = (
  status: number,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): FakeAnswer => {
  const held = new FakeBody()
  held.write(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body))
  held.end()
  return { status, headers, body: held }
}

export const status = (code: number, message: string, headers: Record<string, string> = {}): FakeAnswer =>
  answer(code, { kind: 'Status', status: 'Failure', code, message }, headers)

/**
 * What an API server does with lists and watches, without the wire: versions, selectors, pages, streamed lists,
 * bookmarks, compaction. Faults are put in its way one request at a time; open watches can be written to.
 */
export class FakeApi {
  /** Whether it has protobuf, for those who ask for it. */
  protobuf = false
  /** As the feature gate WatchList; 'ignored': a server from before it. */
  streams: boolean | 'ignored' = true
  /** Everything that was asked, in order. */
  readonly requests: FakeRequest[] = []
  /** Everything that was to be written, in order; nothing of it shows in lists. */
  readonly writes: FakeWrite[] = []
  readonly #writeFaults: Fault[] = []
  readonly #tables = new Map([...KINDS.values()].map(kind => [kind, newTable()]))
  readonly #faults: Array<{ readonly kind: string; readonly mode: RequestMode; readonly fault: Fault }> = []
  /** Lists by pages in progress, by kind and the version that they are of. */
  readonly #snapshots = new Map<string, readonly KubeJson[]>()
  #version = 100
  #compacted = 0

  put(...objects: readonly KubeJson[]): void {
    for (const object of objects) {
      const version = ++this.#version
      const metadata = { ...object.metadata, resourceVersion: `${version}` }
      this.#change(object.kind, keyOf(object), version, { ...object, metadata })
    }
  }

  delete(...objects: readonly KubeJson[]): void {
    for (const object of objects) this.#change(object.kind, keyOf(object), ++this.#version, undefined)
  }

  /** As etcd: what changed before now is no longer known, lists that are under way neither. */
  compact(): void {
    this.#compacted = this.#version
    this.#snapshots.clear()
  }

  /** The next request of this kind and mode meets a fault; several wait in line. */
  fault(kind: string, mode: RequestMode, ...faults: readonly Fault[]): void {
    for (const fault of faults) this.#faults.push({ kind, mode, fault })
  }

  /** The next requests to write meet these. */
  writeFault(...faults: readonly Fault[]): void {
    this.#writeFaults.push(...faults)
  }

  bookmark(kind: string): void {
    for (const open of this.#table(kind).watches) writeBookmark(open, kind, this.#version, false)
  }

  /** An event of the test's own to the watch that is open, whatever the server has. */
  tell(kind: string, type: string, object: Partial<KubeJson> & { readonly [field: string]: unknown }): void {
    for (const { encode, body } of this.#table(kind).watches) body.write(encode.event(type, object))
  }

  /** The body of the watch (or streamed list) that is open. */
  watch(kind: string): FakeBody {
    const [open, ...others] = this.#table(kind).watches
    if (open === undefined || others.length > 0) throw new Error(`${1 + others.length} watches of ${kind}`)
    return open.body
  }

  watching(kind: string): boolean {
    return this.#table(kind).watches.size > 0
  }

  /** Modes of the requests for a kind so far. */
  modes(kind: string): string {
    return this.requests
      .filter(it => it.kind === kind)
      .map(it => it.mode)
      .join(' ')
  }

  lastRequest(kind: string): FakeRequest {
    const found = this.requests.findLast(it => it.kind === kind)
    if (found === undefined) throw new Error(`nobody has asked for ${kind}`)
    return found
  }

  /** Cuts every connection, as a server that is killed. */
  cutAll(): void {
    for (const { watches } of this.#tables.values()) for (const { body } of watches) body.cut()
  }

  handle(
    path: string,
    query: URLSearchParams,
    headers: FakeRequest['headers'],
    write?: Omit<FakeWrite, 'path'>,
  ): Fault {
    if (write !== undefined) return this.#write({ ...write, path })
    const kind = KINDS.get(path)
    if (kind === undefined) return status(404, 'the server could not find the requested resource')
    const mode = query.get('watch') !== 'true' ? 'list' : query.has('sendInitialEvents') ? 'stream' : 'watch'
    this.requests.push({ kind, mode, query, headers })
    const at = this.#faults.findIndex(it => it.kind === kind && it.mode === mode)
    const [found] = at < 0 ? [] : this.#faults.splice(at, 1)
    if (found !== undefined) return found.fault
    const encode = this.protobuf && headers.accept?.includes(protobufType) ? protobuf : json
    if (mode === 'list') return this.#list(kind, query, encode)
    if (mode === 'stream' && this.streams === false)
      return status(
        422,
        'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
      )
    return this.#watchFrom(kind, query, mode === 'stream', encode)
  }

  /** Whatever it is, it is taken and given back with a version. */
  #write(write: FakeWrite): Fault {
    this.writes.push(write)
    const fault = this.#writeFaults.shift()
    if (fault !== undefined) return fault
    const { metadata, ...rest } = JSON.parse(write.body) as KubeJson
    const stored = { ...rest, metadata: { ...metadata, resourceVersion: `${++this.#version}` } }
    return answer(write.method === 'POST' ? 201 : 200, stored)
  }

  #list(kind: string, query: URLSearchParams, encode: FakeEncoding): FakeAnswer {
    const [version = `${this.#version}`, from = '0'] = query.get('continue')?.split(':') ?? []
    const all =
      from === '0'
        ? [...this.#table(kind).objects.values()].filter(it => selects(query, it))
        : this.#snapshots.get(`${kind} ${version}`)
    if (all === undefined) return status(410, 'The provided continue parameter is too old')
    const limit = Number(query.get('limit') ?? all.length)
    const to = Number(from) + limit
    const more = to < all.length
    if (more) this.#snapshots.set(`${kind} ${version}`, all)
    const items = all.slice(Number(from), to).map(({ kind: _, ...rest }) => rest)
    const metadata = { resourceVersion: version, ...(more && { continue: `${version}:${to}` }) }
    const list = encode.object({ kind: `${kind}List`, metadata, items } as unknown as KubeJson)
    return answer(200, list, { 'content-type': encode.type })
  }

  #watchFrom(kind: string, query: URLSearchParams, streamed: boolean, encode: FakeEncoding): FakeAnswer {
    const table = this.#table(kind)
    const open = { query, encode, body: new FakeBody() }
    const from = query.get('resourceVersion') ?? ''
    if (from !== '' && Number(from) < this.#compacted) return status(410, `too old resource version: ${from}`)
    if (from === '') {
      for (const object of table.objects.values())
        if (selects(query, object)) open.body.write(encode.event('ADDED', object))
      if (streamed && this.streams === true) writeBookmark(open, kind, this.#version, true)
    } else {
      for (const change of table.changes) if (change.version > Number(from)) send(open, change)
    }
    table.watches.add(open)
    return { status: 200, headers: { 'content-type': `${encode.type};stream=watch` }, body: open.body }
  }

  #change(kind: string, key: string, version: number, after: KubeJson | undefined): void {
    const table = this.#table(kind)
    const change = { version, before: table.objects.get(key), after }
    if (after === undefined) table.objects.delete(key)
    else table.objects.set(key, after)
    table.changes.push(change)
    for (const open of table.watches) send(open, change)
  }

  #table(kind: string): Table {
    const table = this.#tables.get(kind)
    if (table === undefined) throw new Error(`no kind ${kind}`)
    for (const open of table.watches) if (open.body.closed) table.watches.delete(open)
    return table
  }
}

const newTable = (): Table => ({ objects: new Map(), changes: [], watches: new Set() })

const keyOf = ({ metadata }: KubeJson): string => `${metadata.namespace ?? ''}/${metadata.name}`

/** What one watch hears of a change: an object that leaves its selector is deleted for it. */
function send({ query, encode, body }: OpenWatch, { before, after, version }: Change): void {
  const was = before !== undefined && selects(query, before)
  const is = after !== undefined && selects(query, after)
  if (is) body.write(encode.event(was ? 'MODIFIED' : 'ADDED', after))
  else if (was) {
    const metadata = { ...before.metadata, resourceVersion: `${version}` }
    body.write(encode.event('DELETED', { ...before, metadata }))
  }
}

function writeBookmark({ encode, body }: OpenWatch, kind: string, version: number, endsList: boolean): void {
  const annotations = endsList ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const metadata = { name: '', resourceVersion: `${version}`, ...annotations }
  body.write(encode.event('BOOKMARK', { kind, metadata }))
}
