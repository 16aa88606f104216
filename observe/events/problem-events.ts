import { backgroundClock, type Clock, type Problem, type ProblemReason } from '@kpng/api'
import type { EventRecorder, EventReference } from './event-recorder.ts'
import { type EventReason, eventReasons } from './reasons.ts'

export interface ProblemEventsOptions {
  readonly recorder: EventRecorder
  readonly nodeName: string
  /** The Service `namespace/name`; undefined when there is none. */
  readonly service: (key: string) => { readonly uid?: string } | undefined
  /** A problem must stand so long to be told: what passes by itself is not worth a word. Default 2 s. */
  readonly holdMs?: number
  readonly clock?: Clock
}

/** Everything of one reason that is wrong with one object. */
interface Complaint {
  readonly regarding: EventReference
  readonly reason: ProblemReason | 'InvalidField'
  readonly note: string
}

interface Row {
  readonly complaint: Complaint
  readonly sinceMs: number
  /** What has been told of it last; undefined: nothing yet. */
  readonly told: string | undefined
}

const CAPACITY_NOTE =
  'some Services do not fit into the maps whole: see their Events; raise --max-service-ports, --max-frontends or --max-endpoints'

/** Tells each problem of a Service or of this Node once when it has come to stay, and once when it is over. */
export class ProblemEvents implements Disposable {
  readonly #options: ProblemEventsOptions
  readonly #holdMs: number
  readonly #clock: Clock
  #rows = new Map<string, Row>()
  #recheck: Disposable | undefined

  constructor(options: ProblemEventsOptions) {
    this.#options = options
    this.#holdMs = options.holdMs ?? 2_000
    this.#clock = options.clock ?? backgroundClock
  }

  /** `problems` are all that there are now. */
  update(problems: readonly Problem[]): void {
    const nowMs = this.#clock.nowMs()
    const before = this.#rows
    this.#rows = new Map()
    for (const [key, complaint] of this.#complaints(problems)) {
      const known = before.get(key)
      const same = known?.complaint.note === complaint.note
      this.#rows.set(key, {
        complaint,
        sinceMs: same ? known.sinceMs : nowMs,
        told: known?.told,
      })
    }
    this.#tellDue(nowMs)
    for (const [key, { complaint, told }] of before)
      if (told !== undefined && !this.#rows.has(key)) this.#tellOver(complaint, told)
  }

  [Symbol.dispose](): void {
    this.#recheck?.[Symbol.dispose]()
  }

  #tellDue(nowMs: number): void {
    this.#recheck?.[Symbol.dispose]()
    this.#recheck = undefined
    let nextMs = Number.POSITIVE_INFINITY
    for (const [key, row] of this.#rows) {
      const { complaint, sinceMs, told } = row
      if (told === complaint.note) continue
      const dueMs = sinceMs + this.#holdMs
      if (dueMs > nowMs) {
        nextMs = Math.min(nextMs, dueMs)
        continue
      }
      const { regarding, reason, note } = complaint
      this.#tell(regarding, reason, note)
      this.#rows.set(key, { ...row, told: note })
    }
    if (nextMs === Number.POSITIVE_INFINITY) return
    this.#recheck = this.#clock.after(nextMs - nowMs, () => this.#tellDue(this.#clock.nowMs()))
  }

  /** Not of a Service that is gone: so are its problems, and perhaps its namespace. */
  #tellOver({ regarding, reason }: Complaint, told: string): void {
    if (regarding.kind === 'Service' && this.#options.service(keyOf(regarding)) === undefined) return
    this.#tell(regarding, 'Recovered', `${reason} is over: ${told}`)
  }

  #tell(regarding: EventReference, reason: EventReason, note: string): void {
    const { type, action } = eventReasons[reason]
    this.#options.recorder.event({ regarding, type, reason, action, note })
  }

  #complaints(problems: readonly Problem[]): Map<string, Complaint> {
    const messages = new Map<
      string,
      { regarding: EventReference; reason: Complaint['reason']; lines: Set<string> }
    >()
    const add = (regarding: EventReference, reason: Complaint['reason'], line: string): void => {
      const key = `${regarding.kind} ${keyOf(regarding)} ${reason}`
      const found = messages.get(key) ?? { regarding, reason, lines: new Set() }
      found.lines.add(line)
      messages.set(key, found)
    }
    for (const { where, field, message, reason } of problems) {
      const regarding = this.#regarding(where, reason)
      if (regarding === undefined) continue
      add(regarding, reason ?? 'InvalidField', field === '' ? message : `${field}: ${message}`)
      if (reason === 'CapacityExceeded' && regarding.kind === 'Service')
        add(this.#node(), reason, CAPACITY_NOTE)
    }
    return new Map(
      [...messages].map(([key, { regarding, reason, lines }]) => [
        key,
        { regarding, reason, note: [...lines].sort().join('; ') },
      ]),
    )
  }

  /** undefined: a problem of something that has no Events here, as a file or an EndpointSlice. */
  #regarding(where: string, reason: ProblemReason | undefined): EventReference | undefined {
    const { nodeName, service } = this.#options
    // Without a reason it is the source's, which names the kind first.
    const key = reason === undefined ? /^Service\/(.+)$/.exec(where)?.[1] : where
    const found = key === undefined ? undefined : service(key)
    if (key !== undefined && found !== undefined) {
      const [namespace = '', name = ''] = key.split('/')
      const uid = found.uid === undefined ? {} : { uid: found.uid }
      return { kind: 'Service', apiVersion: 'v1', namespace, name, ...uid }
    }
    const ofNode = reason === undefined ? where === `Node//${nodeName}` : !isServiceKey(where)
    return ofNode ? this.#node() : undefined
  }

  #node(): EventReference {
    return { kind: 'Node', apiVersion: 'v1', name: this.#options.nodeName }
  }
}

/** Not `Node/name`, for a namespace has a lower-case name. */
const isServiceKey = (where: string): boolean => /^[a-z0-9][^/]*\/[^/]+$/.test(where)

const keyOf = ({ namespace, name }: EventReference): string =>
  namespace === undefined ? name : `${namespace}/${name}`
