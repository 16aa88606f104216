import { isRecord } from '../../objects/fields.ts'
import { ApiFailure } from './api-failure.ts'

/** On the bookmark that ends a streamed list. */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

export type WatchEvent =
  | { readonly type: 'put' | 'delete'; readonly object: unknown; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string; readonly endsList: boolean }

/**
 * One line of a watch. Throws `broken` when it is no event, and what an ERROR event says. Versions are '' where
 * missing.
 */
export function parseWatchEvent(line: string): WatchEvent {
  const event = parseJson(line)
  const type = isRecord(event) ? event.type : undefined
  const object = isRecord(event) ? event.object : undefined
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object, version: metadataText(object, 'resourceVersion') }
    case 'DELETED':
      return { type: 'delete', object, version: metadataText(object, 'resourceVersion') }
    case 'BOOKMARK': {
      const annotations = metadataOf(object)?.annotations
      const endsList = isRecord(annotations) && annotations[INITIAL_EVENTS_END] === 'true'
      return { type: 'bookmark', version: metadataText(object, 'resourceVersion'), endsList }
    }
    case 'ERROR':
      throw ApiFailure.fromErrorEvent(object)
    default:
      throw new ApiFailure('broken', 'a line of the watch is no event')
  }
}

export interface ListPage {
  readonly items: readonly unknown[]
  readonly version: string
  /** '' on the last page. */
  readonly continue: string
}

/** Throws `broken` when it is no list. */
export function parseListPage(text: string): ListPage {
  const list = parseJson(text)
  const version = metadataText(list, 'resourceVersion')
  const items = isRecord(list) ? (list.items ?? []) : undefined
  if (!Array.isArray(items) || version === '') throw new ApiFailure('broken', 'the answer is no list')
  return { items, version, continue: metadataText(list, 'continue') }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (reason) {
    // Not the parser's message: it quotes the text, and so is never the same twice.
    throw new ApiFailure('broken', 'the answer is no JSON', { cause: reason })
  }
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> | undefined {
  const metadata = isRecord(object) ? object.metadata : undefined
  return isRecord(metadata) ? metadata : undefined
}

function metadataText(object: unknown, field: string): string {
  const value = metadataOf(object)?.[field]
  return typeof value === 'string' ? value : ''
}
