import { Counter, Gauge, type Registry } from 'prom-client'
import type { EventCounts } from '../events/api-event-recorder.ts'

/** How Events came through; `read` is asked when somebody looks. */
export function countEvents(registry: Registry, read: () => EventCounts): void {
  for (const [name, help, field] of [
    [
      'kpng_events_written_total',
      'Events that the API server took, once more each time one is told again.',
      'written',
    ],
    [
      'kpng_events_dropped_total',
      'Events that were not told: no room, refused by the API server, or given up.',
      'dropped',
    ],
    [
      'kpng_event_failures_total',
      'Attempts to write an Event that came to nothing; most are repeated.',
      'failed',
    ],
  ] as const)
    new Counter({
      ...{ name, help, registers: [registry] },
      collect() {
        this.reset()
        this.inc(read()[field])
      },
    })
  new Gauge({
    name: 'kpng_events_waiting',
    help: 'Events that wait to be written.',
    registers: [registry],
    collect() {
      this.set(read().waiting)
    },
  })
}
