import { type Material, readMaterial } from './cluster-access.ts'

/** A token in a file rotates long before it expires (a service account's at 80 % of an hour). */
const REREAD_AFTER_MS = 10_000

/** The bearer token of a connection, read again from its file before it gets old. */
export class BearerToken {
  readonly #material: Material
  readonly #nowMs: () => number
  #token: string | undefined
  #readAtMs = 0

  constructor(material: Material, nowMs: () => number = () => performance.now()) {
    this.#material = material
    this.#nowMs = nowMs
  }

  /** The Authorization header. A file that cannot be read any more leaves the last token in use. */
  async header(): Promise<string> {
    if (this.#token === undefined || this.#nowMs() - this.#readAtMs >= REREAD_AFTER_MS) {
      try {
        this.#token = (await readMaterial(this.#material)).trim()
        this.#readAtMs = this.#nowMs()
      } catch (reason) {
        if (this.#token === undefined) throw reason
      }
    }
    return `Bearer ${this.#token}`
  }
}
