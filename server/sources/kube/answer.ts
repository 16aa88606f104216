import { TimeSlice } from '../../view/time-slice.ts'
import type { Encoding, ListPage, WatchEvent } from './answers.ts'
import { jsonEncoding } from './json-encoding.ts'
import { protobufEncoding } from './protobuf/protobuf-encoding.ts'

/** A body, and how it is written. To be read once. */
export class Answer {
  readonly #body: AsyncIterable<Uint8Array>
  readonly #encoding: Encoding

  /** contentType: the header as it came. Everything that is not Kubernetes' protobuf is JSON, or nothing at all. */
  constructor(body: AsyncIterable<Uint8Array>, contentType: string | undefined) {
    this.#body = body
    const isProtobuf = contentType?.startsWith('application/vnd.kubernetes.protobuf') ?? false
    this.#encoding = isProtobuf ? protobufEncoding : jsonEncoding
  }

  /**
   * The events of a watch, some at a time: each lot is to be read to its end, and between two of them others have their
   * turn. A list has tens of thousands of them: a turn of the microtask queue for each would be felt.
   */
  async *events(maxBytes: number): AsyncGenerator<Iterable<WatchEvent>, void, void> {
    const slice = new TimeSlice()
    for await (const events of this.#encoding.events(this.#body, maxBytes)) {
      const lot = new Lot(events[Symbol.iterator](), slice)
      while (!lot.done) {
        if (slice.isOver) await slice.next()
        yield lot
      }
    }
  }

  async list(maxBytes: number): Promise<ListPage> {
    return await this.#encoding.list(this.#body, maxBytes)
  }

  async object(maxBytes: number): Promise<unknown> {
    return await this.#encoding.object(this.#body, maxBytes)
  }
}

/** What one piece of the stream says, which may be hundreds of events: each loop over it goes on until the slice is over. */
class Lot implements Iterable<WatchEvent> {
  readonly #events: Iterator<WatchEvent>
  readonly #slice: TimeSlice
  done = false

  constructor(events: Iterator<WatchEvent>, slice: TimeSlice) {
    this.#events = events
    this.#slice = slice
  }

  *[Symbol.iterator](): Generator<WatchEvent, void, void> {
    do {
      const { done, value } = this.#events.next()
      if (done === true) {
        this.done = true
        return
      }
      yield value
    } while (!this.#slice.isOver)
  }
}
