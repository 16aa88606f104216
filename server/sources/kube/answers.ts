import { isRecord } from '../../objects/fields.ts'
import { ApiFailure } from './api-failure.ts'

/** On the bookmark that ends a streamed list. */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

export type WatchEvent =
  | { readonly type: 'put' | 'delete'; readonly object: unknown; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string; readonly endsList: boolean }

export interface ListPage {
  readonly items: readonly unknown[]
  readonly version: string
  /** '' on the last page. */
  readonly continue: string
}

/**
 * How answers are written. Objects come out as parsed JSON has them, in whatever way they came; each of these throws
 * `broken` for what cannot be read, was cut or is longer than maxBytes.
 */
export interface Encoding {
  /**
   * The events of a watch, as many at once as come at once; they are read as they are asked for, all of them before the
   * next ones. maxBytes: of one event. Throws what an ERROR event says.
   */
  events(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Iterable<WatchEvent>, void, void>
  /** A list, or a page of one. */
  list(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<ListPage>
  /** One object. */
  object(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<unknown>
}

/** The event of a type with an object. Throws `broken` when there is no such event, and what an ERROR event says. */
export function watchEvent(type: unknown, object: unknown): WatchEvent {
  const version = metadataText(object, 'resourceVersion')
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object, version }
    case 'DELETED':
      return { type: 'delete', object, version }
    case 'BOOKMARK': {
      const annotations = metadataOf(object)?.annotations
      const endsList = isRecord(annotations) && annotations[INITIAL_EVENTS_END] === 'true'
      return { type: 'bookmark', version, endsList }
    }
    case 'ERROR':
      throw ApiFailure.fromErrorEvent(object)
    default:
      throw new ApiFailure('broken', 'a part of the watch is no event')
  }
}

/** Throws `broken` when it is no list. */
export function listPage(list: unknown): ListPage {
  const version = metadataText(list, 'resourceVersion')
  const items = isRecord(list) ? (list.items ?? []) : undefined
  if (!Array.isArray(items) || version === '') throw new ApiFailure('broken', 'the answer is no list')
  return { items, version, continue: metadataText(list, 'continue') }
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> | undefined {
  const metadata = isRecord(object) ? object.metadata : undefined
  return isRecord(metadata) ? metadata : undefined
}

/** '' where missing. */
function metadataText(object: unknown, field: string): string {
  const value = metadataOf(object)?.[field]
  return typeof value === 'string' ? value : ''
}
