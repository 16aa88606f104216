import type { Clock } from '@kpng/api'
import { Answer } from './answer.ts'
import { ApiFailure } from './api-failure.ts'
import type { ApiRequest, ApiResponse, Connection } from './transport.ts'
import { Watchdog } from './watchdog.ts'

/** Of the body of an answer that is an error. */
const MAX_ERROR_BYTES = 64 << 10

/** What ends an attempt from outside: it is no failure. */
class Interrupted extends Error {}

export interface AttemptOptions {
  readonly connection: Connection
  readonly clock: Clock
  /** From when the request goes out. */
  readonly answerWithinMs: number
}

/** What an attempt does not see to itself. */
type AskedRequest = Omit<ApiRequest, 'signal' | 'onSend'>

/** One request to the API server: it can be interrupted, and ends by itself when nothing is heard. */
export class Attempt implements Disposable {
  readonly #connection: Connection
  readonly #abort = new AbortController()
  readonly #watchdog: Watchdog
  readonly #clock: Clock
  readonly #startMs: number
  readonly #answerWithinMs: number

  constructor({ connection, clock, answerWithinMs }: AttemptOptions) {
    this.#connection = connection
    this.#clock = clock
    this.#startMs = clock.nowMs()
    this.#answerWithinMs = answerWithinMs
    this.#watchdog = new Watchdog(clock, () =>
      this.#abort.abort(new ApiFailure('silent', 'nothing was heard from the server in time')),
    )
  }

  get ageMs(): number {
    return this.#clock.nowMs() - this.#startMs
  }

  interrupt(): void {
    this.#abort.abort(new Interrupted())
  }

  /** How long the server may be silent from now on. */
  expect(withinMs: number): void {
    this.#watchdog.expect(withinMs)
  }

  /** What a 200, 201 or 202 says. Throws an ApiFailure for everything else. */
  async request(request: AskedRequest): Promise<Answer> {
    this.#watchdog.rest()
    const response = await this.#answer(request)
    this.#watchdog.heard()
    const answer = new Answer(this.#heard(response.body), response.contentType)
    if ([200, 201, 202].includes(response.status)) return answer
    throw ApiFailure.fromStatus(response.status, await errorBody(answer), response.retryAfter)
  }

  /**
   * What a caught reason says of this attempt; undefined when it was interrupted. A connection that may be to
   * blame is not used again. What is no failure of the server's or the way to it is a defect, and thrown again.
   */
  failure(reason: unknown): ApiFailure | undefined {
    const { aborted, reason: why } = this.#abort.signal
    if (aborted && why instanceof Interrupted) return undefined
    const failure: unknown = aborted ? why : reason
    if (!(failure instanceof ApiFailure)) throw failure
    if (['unreachable', 'broken', 'silent', 'unauthorized'].includes(failure.code))
      this.#connection.retire(failure.code)
    return failure
  }

  [Symbol.dispose](): void {
    this.#watchdog[Symbol.dispose]()
    // Whatever is still open: nobody reads it any more.
    this.interrupt()
  }

  async #answer(request: AskedRequest): Promise<ApiResponse> {
    const { signal } = this.#abort
    const onSend = (): void => this.#watchdog.expect(this.#answerWithinMs)
    try {
      return await this.#connection.request({ ...request, signal, onSend })
    } catch (reason) {
      throw ApiFailure.from(reason, 'unreachable')
    }
  }

  async *#heard(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    try {
      for await (const piece of body) {
        this.#watchdog.heard()
        yield piece
      }
    } catch (reason) {
      throw ApiFailure.from(reason, 'broken')
    }
  }
}

async function errorBody(answer: Answer): Promise<unknown> {
  try {
    return await answer.object(MAX_ERROR_BYTES)
  } catch {
    return undefined // the status says enough
  }
}
