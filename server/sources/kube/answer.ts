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

  /** The events of a watch, with pauses for others: one piece of the stream may hold hundreds. */
  async *events(maxBytes: number): AsyncGenerator<WatchEvent, void, void> {
    const slice = new TimeSlice()
    for await (const event of this.#encoding.events(this.#body, maxBytes)) {
      if (slice.isOver) await slice.next()
      yield event
    }
  }

  async list(maxBytes: number): Promise<ListPage> {
    return await this.#encoding.list(this.#body, maxBytes)
  }

  async object(maxBytes: number): Promise<unknown> {
    return await this.#encoding.object(this.#body, maxBytes)
  }
}
