/** A body that a test writes as it likes; read by one reader. */
export class FakeBody implements AsyncIterable<Uint8Array> {
  readonly #queue: Uint8Array[] = []
  #end: 'open' | 'ended' | Error = 'open'
  #wake: () => void = () => {}
  /** Nobody reads it any more. */
  closed = false

  write(piece: string | Uint8Array): void {
    if (this.#end === 'open') this.#queue.push(typeof piece === 'string' ? Buffer.from(piece) : piece)
    this.#wake()
  }

  end(): void {
    if (this.#end === 'open') this.#end = 'ended'
    this.#wake()
  }

  /** As a connection that breaks: what was written before still arrives. */
  cut(reason: Error = new Error('the connection was cut')): void {
    if (this.#end === 'open') this.#end = reason
    this.#wake()
  }

  /** As a reader that lets go: what was written and not read is lost. */
  abort(reason: Error): void {
    this.#queue.length = 0
    this.closed = true
    this.cut(reason)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const piece = this.#queue.shift()
        if (piece !== undefined) yield piece
        else if (this.#end === 'ended') return
        else if (this.#end !== 'open') throw this.#end
        else await this.#written()
      }
    } finally {
      this.closed = true
    }
  }

  #written(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    return promise
  }
}
