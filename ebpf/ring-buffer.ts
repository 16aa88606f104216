import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BpfMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import type { Codec } from './map.ts'
import { MapType } from './sys/bpf-enum.ts'
import { Mapping, pageSize } from './sys/mapping.ts'
import { type ReadableWait, whenReadable } from './sys/poll.ts'

/** What a reader has seen so far. */
export interface RingBufferStats {
  readonly events: number
  /** Reserved by a program and given back. */
  readonly discarded: number
  /** The most bytes that were waiting at once, of `capacity`: near it events were probably lost. */
  readonly fullest: number
}

// Header of a record (linux/bpf.h): length with two flags, then the page that it lies in.
const HEADER_BYTES = 8
const BUSY = 1 << 31
const DISCARDED = 1 << 30

/** So many events in one go before others get their turn. */
const EVENTS_PER_TURN = 256

/**
 * Reads a ring buffer, in order, as an async iterable. Events that a program could not place are not counted
 * by the kernel: let the program count where bpf_ringbuf_reserve gives NULL. One reader for a map.
 */
export class RingBuffer<T> implements AsyncIterable<T>, Disposable {
  readonly name: string
  /** In bytes, headers included. */
  readonly capacity: number
  readonly #map: BpfMap
  readonly #event: Codec<T>
  readonly #consumer: BigUint64Array
  readonly #producer: BigUint64Array
  readonly #data: DataView
  readonly #headers: Int32Array
  #events = 0
  #discarded = 0
  #fullest = 0
  #wait: ReadableWait | undefined
  #disposed = false

  /** The map keeps its descriptor. Throws LAYOUT for other maps. */
  constructor(map: BpfMap, event: Codec<T>) {
    if (map.info.type !== MapType.RINGBUF) throw new EbpfError('LAYOUT', `map ${map.name} is no ring buffer`)
    this.name = map.name
    this.capacity = map.info.maxEntries
    this.#map = map
    this.#event = event
    const page = pageSize()
    const consumer = map.own(Mapping.ofFd(map.fd, page, { writable: true }))
    // One page with the position, then the data twice, so that no record is broken at the end.
    const length = page + 2 * this.capacity
    const producer = map.own(Mapping.ofFd(map.fd, length, { writable: false, offset: page }))
    const { buffer } = producer.view()
    this.#consumer = new BigUint64Array(consumer.view().buffer, 0, 1)
    this.#producer = new BigUint64Array(buffer, 0, 1)
    this.#data = new DataView(buffer, page)
    this.#headers = new Int32Array(buffer, page)
    map.own(this)
  }

  stats(): RingBufferStats {
    return { events: this.#events, discarded: this.#discarded, fullest: this.#fullest }
  }

  /** The next event if there is one. Throws MALFORMED when it is shorter than the codec. */
  read(): T | undefined {
    for (;;) {
      if (this.#ended) throw new EbpfError('CLOSED', `ring buffer ${this.name} is closed`)
      const position = Atomics.load(this.#consumer, 0)
      const waiting = Number(Atomics.load(this.#producer, 0) - position)
      if (waiting === 0) return undefined
      this.#fullest = Math.max(this.#fullest, waiting)
      const at = Number(position % BigInt(this.capacity))
      const header = Atomics.load(this.#headers, at / 4)
      if ((header & BUSY) !== 0) return undefined // a program is still writing it
      const length = header & ~DISCARDED
      const discarded = (header & DISCARDED) !== 0
      const fits = length >= this.#event.size
      const event = discarded || !fits ? undefined : this.#event.decode(this.#data, at + HEADER_BYTES)
      const step = HEADER_BYTES + Math.ceil(length / 8) * 8
      Atomics.store(this.#consumer, 0, position + BigInt(step))
      if (discarded) {
        this.#discarded++
        continue
      }
      if (!fits) {
        const sizes = `${length} bytes, the codec ${this.#event.size}`
        throw new EbpfError('MALFORMED', `ring buffer ${this.name}: an event has ${sizes}`)
      }
      this.#events++
      return event
    }
  }

  /** Ends when the buffer is disposed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (let turn = 1; !this.#ended; turn++) {
      const event = this.read()
      if (event === undefined) await this.#readable()
      else yield event
      if (turn % EVENTS_PER_TURN === 0) await nextTurn()
    }
  }

  get #ended(): boolean {
    return this.#disposed || this.#map.fd.closed
  }

  async #readable(): Promise<void> {
    if (this.#wait !== undefined) throw new EbpfError('BUSY', `ring buffer ${this.name} has a reader already`)
    this.#wait = whenReadable(this.#map.fd.number)
    try {
      await this.#wait.done
    } finally {
      this.#wait = undefined
    }
  }

  /** Ends the iteration; also done when the map is disposed. */
  [Symbol.dispose](): void {
    this.#disposed = true
    this.#wait?.cancel()
  }
}
