import { ApiFailure } from '../api-failure.ts'

/** Each frame of a watch in protobuf begins with its length: 32 bits, big endian. */
const LENGTH_BYTES = 4

/** Takes a stream apart into its frames, piece by piece. */
export class Frames {
  readonly #maxBytes: number
  /** Of a frame that is not whole yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #neededBytes = LENGTH_BYTES

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The frames that end in a piece. To be read to the end before the next piece. Throws `broken` for one that is too long. */
  *split(piece: Uint8Array): Generator<Uint8Array, void, void> {
    this.#held.push(piece)
    this.#heldBytes += piece.length
    if (this.#heldBytes < this.#neededBytes) return
    const data = this.#held.length === 1 ? piece : Buffer.concat(this.#held, this.#heldBytes)
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    let at = 0
    for (;;) {
      this.#neededBytes = LENGTH_BYTES
      if (data.length - at < LENGTH_BYTES) break
      const length = view.getUint32(at)
      if (length > this.#maxBytes)
        throw new ApiFailure('broken', `an event is longer than ${this.#maxBytes} bytes`)
      this.#neededBytes += length
      if (data.length - at < this.#neededBytes) break
      yield data.subarray(at + LENGTH_BYTES, at + this.#neededBytes)
      at += this.#neededBytes
    }
    this.#heldBytes = data.length - at
    this.#held = this.#heldBytes > 0 ? [data.subarray(at)] : []
  }

  /** The stream has ended. Throws `broken` inside of a frame: half an event is none. */
  end(): void {
    if (this.#heldBytes > 0) throw new ApiFailure('broken', 'the answer was cut in the middle of an event')
  }
}
