import type { EventInput, EventReference } from './event-recorder.ts'

/** Who tells: kpng, not kube-proxy, for an Event is to be believed. */
const REPORTING_CONTROLLER = 'kpng'

/** Bounds of the API, in bytes. */
const MAX_NOTE_BYTES = 1_024
const MAX_INSTANCE_BYTES = 128
/** A DNS subdomain of 253 with a dot and 16 digits behind. */
const MAX_NAME = 236

export interface EventSeries {
  readonly count: number
  readonly lastObservedMs: number
}

/** What does not change while an Event is told again and again. */
export interface EventIdentity {
  readonly input: EventInput
  readonly namespace: string
  readonly name: string
  readonly firstObservedMs: number
}

/** Events of objects without a namespace are in `default`. `unique` keeps the names of one millisecond apart. */
export function identify(input: EventInput, nowMs: number, unique: number): EventIdentity {
  const nanoseconds = BigInt(Math.round(nowMs * 1_000)) * 1_000n + BigInt(unique % 1_000)
  return {
    input,
    namespace: input.regarding.namespace ?? 'default',
    name: `${input.regarding.name.slice(0, MAX_NAME)}.${nanoseconds.toString(16)}`,
    firstObservedMs: nowMs,
  }
}

/** Events with one key are told as one, with a count: all but the note. As client-go's. */
export function eventKey({ regarding, type, reason, action }: EventInput): string {
  const { kind, namespace = '', name, uid = '' } = regarding
  return [kind, namespace, name, uid, type, reason, action].join('\n')
}

/** events.k8s.io/v1 Event. */
export function eventObject(
  { input, namespace, name, firstObservedMs }: EventIdentity,
  reportingInstance: string,
  series: EventSeries | undefined,
): object {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: microTime(firstObservedMs),
    reportingController: REPORTING_CONTROLLER,
    reportingInstance: truncate(reportingInstance, MAX_INSTANCE_BYTES),
    action: input.action,
    reason: input.reason,
    regarding: reference(input.regarding),
    note: truncate(input.note, MAX_NOTE_BYTES),
    type: input.type,
    ...(series === undefined ? {} : seriesPatch(series)),
  }
}

/** What changes of an Event that is told again. */
export const seriesPatch = ({ count, lastObservedMs }: EventSeries): object => ({
  series: { count, lastObservedTime: microTime(lastObservedMs) },
})

const collection = (namespace: string): string => `/apis/events.k8s.io/v1/namespaces/${namespace}/events`
export const createPath = ({ namespace }: EventIdentity): string => collection(namespace)
export const patchPath = ({ namespace, name }: EventIdentity): string => `${collection(namespace)}/${name}`

const reference = ({ kind, apiVersion, namespace, name, uid }: EventReference): object => ({
  kind,
  apiVersion,
  ...(namespace === undefined ? {} : { namespace }),
  name,
  ...(uid === undefined ? {} : { uid }),
})

/** metav1.MicroTime: always six digits. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z')

/** To so many bytes of UTF-8 at most, without half a character at the end. */
export function truncate(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  const dots = '…'
  const room = maxBytes - Buffer.byteLength(dots)
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > room) break
    end += character.length
  }
  return `${text.slice(0, end)}${dots}`
}
