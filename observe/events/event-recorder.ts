/** The object that an Event is about. */
export interface EventReference {
  readonly kind: 'Service' | 'Node'
  readonly apiVersion: 'v1'
  /** Absent for a Node: its Events are written to the namespace `default`. */
  readonly namespace?: string
  readonly name: string
  /** Absent where it is not known; kube-proxy never gives that of its Node. */
  readonly uid?: string
}

/** What a user must know of an object, in the words of events.k8s.io/v1. */
export interface EventInput {
  readonly regarding: EventReference
  readonly type: 'Normal' | 'Warning'
  /** Why, one word in CamelCase out of docs/events.md: what people filter by. */
  readonly reason: string
  /** What was being done, one word in CamelCase. */
  readonly action: string
  /** A sentence for people; at most 1,024 bytes of it are kept. */
  readonly note: string
}

/** Where Events go. Telling one costs nothing: it is queued, never waited for, and may be lost. */
export interface EventRecorder {
  event(event: EventInput): void
}
