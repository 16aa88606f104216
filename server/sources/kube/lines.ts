import { ApiFailure } from './api-failure.ts'

const NEWLINE = 10

/** Takes a stream apart into its lines, piece by piece. */
export class Lines {
  readonly #maxBytes: number
  /** Of a line that is not whole yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The lines that end in a piece, without their ends; not those that are empty. To be read to the end before the next
   * piece. Throws `broken` for one that is too long.
   */
  *split(piece: Uint8Array): Generator<string, void, void> {
    let from = 0
    for (;;) {
      const end = piece.indexOf(NEWLINE, from)
      const part = piece.subarray(from, end < 0 ? piece.length : end)
      this.#heldBytes += part.length
      if (this.#heldBytes > this.#maxBytes)
        throw new ApiFailure('broken', `a line is longer than ${this.#maxBytes} bytes`)
      this.#held.push(part)
      if (end < 0) return
      const line = Buffer.concat(this.#held, this.#heldBytes).toString('utf8')
      this.#held = []
      this.#heldBytes = 0
      from = end + 1
      if (line !== '') yield line
    }
  }

  /** The stream has ended. Throws `broken` inside of a line: half an event is none. */
  end(): void {
    if (this.#heldBytes > 0) throw new ApiFailure('broken', 'the answer was cut in the middle of a line')
  }
}
