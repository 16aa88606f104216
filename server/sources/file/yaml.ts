/** YAML 1.2 (core schema, with merge keys) by js-yaml: one document to its value, and the places of what is in it. */
import {
  binaryTag,
  CORE_SCHEMA,
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  mergeTag,
  parseEvents,
  SCALAR_STYLE,
  YAMLException,
} from 'js-yaml'
import type { FieldPath } from '../../objects/fields.ts'
import type { Range } from './split-documents.ts'

/** Text that cannot be used, or only with a word about it; offset into the whole text. */
export interface TextError {
  readonly offset: number
  readonly message: string
  /** false: a remark, the value is there. */
  readonly fatal: boolean
}

export interface YamlResult {
  /** undefined when there is a fatal error, null for a document without content. */
  readonly value: unknown
  readonly error: TextError | undefined
}

const SCHEMA = CORE_SCHEMA.withTags(mergeTag, binaryTag)

/** Bound on the aliases of a document: a few hundred bytes of text could ask for gigabytes. */
const MAX_ALIASES = 100

/** Bound on the text in which places are looked up: what is kept of it is some ten times as large. */
const MAX_LOCATED_CHARS = 32 << 20

/** Reads text[start, end), which holds one document. Never throws, whatever the text is. */
export function parseYaml(text: string, { start, end }: Range): YamlResult {
  const source = text.slice(start, end)
  try {
    const events = parseEvents(source, {})
    const { documents, duplicateKey } = construct(source, events)
    if (documents.length > 1) return fatal(start, 'several documents where there should be one')
    const remark = duplicateKey === undefined ? undefined : { ...toError(start, duplicateKey), fatal: false }
    return { value: documents[0] ?? null, error: remark }
  } catch (error) {
    return { value: undefined, error: toError(start, error) }
  }
}

/** Of a key that is there twice the last one counts, as in JSON; the first such key is told. */
function construct(
  source: string,
  events: Event[],
): { readonly documents: unknown[]; readonly duplicateKey?: unknown } {
  const options = { source, schema: SCHEMA, maxAliases: MAX_ALIASES }
  try {
    return { documents: constructFromEvents(events, options) }
  } catch (error) {
    // Throws again for whatever else may be wrong.
    return { documents: constructFromEvents(events, { ...options, json: true }), duplicateKey: error }
  }
}

const fatal = (offset: number, message: string): YamlResult => ({
  value: undefined,
  error: { offset, message, fatal: true },
})

function toError(start: number, error: unknown): TextError {
  if (error instanceof YAMLException)
    return { offset: start + (error.mark?.position ?? 0), message: error.reason, fatal: true }
  return { offset: start, message: error instanceof Error ? error.message : String(error), fatal: true }
}

/** Offsets of values in text that parses, YAML or JSON. */
export class Locator {
  readonly #text: string
  #parsed: { readonly start: number; readonly source: string; readonly events: readonly Event[] } | undefined

  constructor(text: string) {
    this.#text = text
  }

  /** Offset of the value at a path in a document, or of what is nearest above it. */
  locate(range: Range, path: FieldPath): number {
    const { source, events } = this.#parse(range)
    return range.start + findOffset(source, events, path)
  }

  /** The last one is kept: problems come in runs. */
  #parse({ start, end }: Range): { readonly source: string; readonly events: readonly Event[] } {
    if (this.#parsed?.start === start) return this.#parsed
    const source = this.#text.slice(start, end)
    this.#parsed = { start, source, events: end - start <= MAX_LOCATED_CHARS ? eventsOf(source) : [] }
    return this.#parsed
  }
}

function eventsOf(source: string): readonly Event[] {
  try {
    return parseEvents(source, {})
  } catch {
    return [] // JSON that is no YAML (nested more than a hundred deep): its beginning has to do
  }
}

function findOffset(source: string, events: readonly Event[], path: FieldPath): number {
  let at = 1 // after the beginning of the document
  let offset = offsetOf(events[at]) ?? 0
  for (const step of path) {
    const found = typeof step === 'number' ? findItem(events, at, step) : findMember(source, events, at, step)
    if (found === undefined) break
    at = found
    offset = offsetOf(events[at]) ?? offset
  }
  return offset
}

function findItem(events: readonly Event[], at: number, index: number): number | undefined {
  if (events[at]?.type !== EVENT_ID.SEQUENCE) return undefined
  let next = at + 1
  for (let i = 0; isNode(events[next]); i++, next = after(events, next)) if (i === index) return next
  return undefined
}

/** The last of several with one name counts. */
function findMember(source: string, events: readonly Event[], at: number, name: string): number | undefined {
  if (events[at]?.type !== EVENT_ID.MAPPING) return undefined
  let found: number | undefined
  let next = at + 1
  while (isNode(events[next])) {
    const key = events[next]
    const value = after(events, next)
    if (key?.type === EVENT_ID.SCALAR && getScalarValue(source, key) === name) found = value
    next = after(events, value)
  }
  return found
}

const isNode = (event: Event | undefined): boolean => event !== undefined && event.type !== EVENT_ID.POP

/** Index of what follows a node and all that is in it. */
function after(events: readonly Event[], at: number): number {
  let depth = 0
  let next = at
  do {
    const type = events[next++]?.type
    if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING) depth++
    else if (type === EVENT_ID.POP) depth--
  } while (depth > 0 && next < events.length)
  return next
}

/** undefined for a value that is left out. */
function offsetOf(event: Event | undefined): number | undefined {
  switch (event?.type) {
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      return event.start
    case EVENT_ID.ALIAS:
      return event.anchorStart - 1
    case EVENT_ID.SCALAR: {
      const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
      return event.valueStart < 0 ? undefined : event.valueStart - Number(quoted)
    }
    default:
      return undefined
  }
}
