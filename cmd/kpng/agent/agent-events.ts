import type { Problem } from '@kpng/api'
import {
  ApiEventRecorder,
  type EventCounts,
  type EventInput,
  type EventReason,
  type EventRecorder,
  eventReasons,
  LogEventRecorder,
  ProblemEvents,
} from '@kpng/observe'
import type { ApiClient, Store } from '@kpng/server'
import type { Logger } from 'pino'

/** Told before it is known to whom; more are lost. */
const maxEarly = 100

export interface AgentEventsOptions {
  readonly nodeName: string
  /** Where the Services are. */
  readonly store: Pick<Store, 'service'>
  readonly logger: Logger
}

/** What an agent tells of Services and of its Node: to the API server that they come from, else to the log. */
export class AgentEvents implements EventRecorder, Disposable {
  readonly #options: AgentEventsOptions
  readonly #resources = new DisposableStack()
  readonly #problems: ProblemEvents
  #early: EventInput[] | undefined = []
  #log: LogEventRecorder | undefined
  #api: ApiEventRecorder | undefined

  constructor(options: AgentEventsOptions) {
    this.#options = options
    this.#problems = this.#resources.use(
      new ProblemEvents({
        recorder: this,
        nodeName: options.nodeName,
        service: key => options.store.service(key),
      }),
    )
  }

  /** undefined: there is no API server. */
  begin(client: ApiClient | undefined): void {
    const { nodeName, logger } = this.#options
    if (client === undefined) this.#log = new LogEventRecorder(logger)
    else
      this.#api = this.#resources.use(
        new ApiEventRecorder({
          ...{ api: client, logger },
          reportingInstance: `kpng-${nodeName}`,
        }),
      )
    const early = this.#early ?? []
    this.#early = undefined
    for (const event of early) this.event(event)
  }

  event(event: EventInput): void {
    if (this.#early !== undefined && this.#early.length < maxEarly) this.#early.push(event)
    this.#log?.event(event)
    this.#api?.event(event)
  }

  /** The agent serves its node from now on. */
  started(version: string): void {
    this.#ofNode('Starting', `kpng ${version}`)
  }

  /** Something of the datapath was not in place any more, and is again. */
  repaired(what: string): void {
    this.#ofNode('DatapathRepaired', what)
  }

  /** All problems that there are now. */
  problems(problems: readonly Problem[]): void {
    this.#problems.update(problems)
  }

  /** Resolves when all is written, or after so long: for a process that is about to end. */
  async settled(withinMs: number): Promise<void> {
    await this.#api?.settled(withinMs)
  }

  get counts(): EventCounts {
    return this.#api?.counts ?? { written: 0, dropped: 0, failed: 0, waiting: 0 }
  }

  #ofNode(reason: EventReason, note: string): void {
    const { type, action } = eventReasons[reason]
    const regarding = { kind: 'Node', apiVersion: 'v1', name: this.#options.nodeName } as const
    this.event({ regarding, type, reason, action, note })
  }

  [Symbol.dispose](): void {
    this.#resources[Symbol.dispose]()
  }
}
