import type { Problem } from '@kpng/api'
import type { Logger } from 'pino'
import { RateLimit } from './logger.ts'

const keyOf = (problem: Problem): string => `${problem.where}\n${problem.field}\n${problem.message}`

/** Logs each problem once when it appears and once when it is over. */
export class ProblemLog {
  readonly #logger: Logger
  readonly #limit: RateLimit
  #known = new Map<string, Problem>()

  constructor(logger: Logger, limit = new RateLimit()) {
    this.#logger = logger
    this.#limit = limit
  }

  update(problems: readonly Problem[]): void {
    const now = new Map(problems.map(problem => [keyOf(problem), problem]))
    for (const [key, problem] of now) if (!this.#known.has(key)) this.#say('problem', problem)
    for (const [key, problem] of this.#known) if (!now.has(key)) this.#say('solved', problem)
    this.#known = now
  }

  #say(kind: 'problem' | 'solved', problem: Problem): void {
    const leftOut = this.#limit.admit(kind)
    if (leftOut === undefined) return
    const fields = { where: problem.where, field: problem.field, ...(leftOut > 0 ? { leftOut } : {}) }
    if (kind === 'problem') this.#logger.warn(fields, problem.message)
    else this.#logger.info(fields, `solved: ${problem.message}`)
  }
}
