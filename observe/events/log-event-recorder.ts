import type { ObserveLogger } from '../logger.ts'
import type { EventInput, EventRecorder } from './event-recorder.ts'

/** Tells Events to the log alone, where there is no API server to tell them to. */
export class LogEventRecorder implements EventRecorder {
  readonly #logger: ObserveLogger

  constructor(logger: ObserveLogger) {
    this.#logger = logger
  }

  event({ regarding, type, reason, action, note }: EventInput): void {
    const { kind, namespace, name } = regarding
    const object = namespace === undefined ? name : `${namespace}/${name}`
    this.#logger.debug({ object, kind, type, reason, action, note }, 'Event occurred')
  }
}
