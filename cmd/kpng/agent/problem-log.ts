import type { Problem } from '@kpng/api'
import type { Logger } from 'pino'
import { RateLimit } from './logger.ts'

const keyOf = (problem: Problem): string => `${problem.where}\n${problem.field}\n${problem.message}`

/** Logs each problem once when it appears and once when it is over, each note once; many at a time only in part. */
export class ProblemLog {
  readonly #logger: Logger
  readonly #limit: RateLimit
  #known = new Map<string, Problem>()
  #notes = new Set<string>()
  #leftOut = 0

  constructor(logger: Logger, limit = new RateLimit()) {
    this.#logger = logger
    this.#limit = limit
  }

  update(problems: readonly Problem[], notes: readonly Problem[] = []): void {
    const now = new Map(problems.map(problem => [keyOf(problem), problem]))
    for (const [key, problem] of now) if (!this.#known.has(key)) this.#say('problem', problem)
    for (const [key, problem] of this.#known) if (!now.has(key)) this.#say('solved', problem)
    this.#known = now
    for (const note of notes) if (!this.#notes.has(keyOf(note))) this.#say('note', note)
    this.#notes = new Set(notes.map(keyOf))
    if (this.#leftOut === 0) return
    this.#logger.warn(
      { leftOut: this.#leftOut },
      'more problems than are logged one by one: the status API has them all',
    )
    this.#leftOut = 0
  }

  #say(kind: 'problem' | 'solved' | 'note', problem: Problem): void {
    if (this.#limit.admit(kind) === undefined) {
      this.#leftOut++
      return
    }
    const fields = { where: problem.where, field: problem.field }
    if (kind === 'problem') this.#logger.warn(fields, problem.message)
    else this.#logger.info(fields, kind === 'solved' ? `solved: ${problem.message}` : problem.message)
  }
}
