import type { NodeView, Problem, ServiceView } from '@kpng/api'

/** Everything in the view document but the Services. */
export interface ViewHeader {
  readonly version: 2
  readonly instance: string
  readonly pid: number
  /** RFC 3339. */
  readonly writtenAt: string
  readonly synced: boolean
  readonly node: NodeView | null
  /** Node addresses on which NodePorts are served. */
  readonly nodePortAddresses: readonly string[]
  readonly problems: readonly Problem[]
}

/** What GET /v1/view answers and what view.json holds: enough to explain every decision with the agent dead. */
export interface ViewDocument extends ViewHeader {
  readonly services: readonly ServiceView[]
}

const servicesPerChunk = 20

/**
 * The document as JSON text in pieces of some hundred kilobytes, so that writing the view of a large cluster
 * does not hold up the event loop.
 */
export function* encodeViewDocument(header: ViewHeader, services: Iterable<ServiceView>): Generator<string> {
  yield `${JSON.stringify(header).slice(0, -1)},"services":[\n`
  let chunk: string[] = []
  let first = true
  for (const service of services) {
    chunk.push(JSON.stringify(service))
    if (chunk.length < servicesPerChunk) continue
    yield `${first ? '' : ',\n'}${chunk.join(',\n')}`
    first = false
    chunk = []
  }
  if (chunk.length > 0) yield `${first ? '' : ',\n'}${chunk.join(',\n')}`
  yield '\n]}\n'
}

/** Throws where the text is not a view document of this version. */
export function decodeViewDocument(text: string): ViewDocument {
  const document: unknown = JSON.parse(text)
  if (
    typeof document !== 'object' ||
    document === null ||
    !('version' in document) ||
    document.version !== 2 ||
    !('services' in document) ||
    !Array.isArray(document.services)
  )
    throw new Error('not a view document of version 2')
  return document as ViewDocument
}
