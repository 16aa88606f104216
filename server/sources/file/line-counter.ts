/** Offsets in a text to lines and columns, both from 1. Cheap when asked in ascending order. */
export class LineCounter {
  readonly #text: string
  #line = 1
  #start = 0
  #end: number

  constructor(text: string) {
    this.#text = text
    this.#end = this.#lineEnd(0)
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    if (offset < this.#start) {
      this.#line = 1
      this.#start = 0
      this.#end = this.#lineEnd(0)
    }
    while (this.#end < offset) {
      this.#line++
      this.#start = this.#end + 1
      this.#end = this.#lineEnd(this.#start)
    }
    return { line: this.#line, column: offset - this.#start + 1 }
  }

  /** `line:column` */
  at(offset: number): string {
    const { line, column } = this.position(offset)
    return `${line}:${column}`
  }

  #lineEnd(start: number): number {
    const feed = this.#text.indexOf('\n', start)
    return feed < 0 ? Number.POSITIVE_INFINITY : feed
  }
}
