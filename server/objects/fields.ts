/** Reading fields of untrusted parsed JSON or YAML: a bad field is reported and reads as if absent. */

/** From the object's root, e.g. ['spec', 'ports', 0, 'nodePort']. */
export type FieldPath = readonly (string | number)[]

/** Told once about each field that could not be used. */
export type Report = (path: FieldPath, message: string) => void

/**
 * The same text as a string of its own: one that was sliced out of a file keeps all of the file's text alive. Below
 * 13 characters V8's slices are copies anyway.
 */
export const ownText = (text: string): string => (text.length < 13 ? text : Buffer.from(text).toString())

type Json = Readonly<Record<string, unknown>>

export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `spec.ports[0].nodePort` */
export function formatPath(path: FieldPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}

export interface ReadContext {
  readonly report: Report
  /** A text that no other object is likely to have, as one that may be kept. */
  readonly own: (text: string) => string
}

/**
 * One JSON object with its place, so that every complaint names its field. null is absent everywhere, as in
 * Kubernetes. The path is built only when there is something to complain about.
 */
export class Fields {
  readonly #json: Json
  readonly #context: ReadContext
  readonly #parent: Fields | undefined
  /** Where it is in its parent; '': it has none. */
  readonly #field: string
  /** -1: the field is no list. */
  readonly #index: number

  private constructor(
    json: Json,
    context: ReadContext,
    parent: Fields | undefined,
    field: string,
    index: number,
  ) {
    this.#json = json
    this.#context = context
    this.#parent = parent
    this.#field = field
    this.#index = index
  }

  static root(json: Json, context: ReadContext): Fields {
    return new Fields(json, context, undefined, '', -1)
  }

  path(...more: FieldPath): FieldPath {
    if (this.#parent === undefined) return more
    const step = this.#index < 0 ? [this.#field] : [this.#field, this.#index]
    return this.#parent.path(...step, ...more)
  }

  /** Complains about a field; no field: about this object as a whole. */
  report(message: string, ...field: FieldPath): void {
    this.#context.report(this.path(...field), message)
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#json, field) && this.#json[field] !== null && this.#json[field] !== undefined
  }

  /** How many items a list has, good and bad ones; 0 when there is no list. Never complains. */
  length(field: string): number {
    const value = this.#get(field)
    return Array.isArray(value) ? value.length : 0
  }

  /** A text that many objects share, or one to look at only. */
  string(field: string): string | undefined {
    const value = this.#get(field)
    if (value === undefined || typeof value === 'string') return value
    this.report(`must be a string, is ${show(value)}: ignored`, field)
    return undefined
  }

  /** A text that no other object is likely to have. */
  ownString(field: string): string | undefined {
    const text = this.string(field)
    return text === undefined ? undefined : this.#context.own(text)
  }

  /** Whether a field is this text. */
  is(field: string, text: string): boolean {
    return this.string(field) === text
  }

  /** The text in a list at an index, to be looked at, not to be kept; undefined where there is none. */
  textAt(field: string, index: number): string | undefined {
    const value = this.#list(field)[index]
    if (value === undefined || typeof value === 'string') return value
    this.report(`must be a string, is ${show(value)}: ignored`, field, index)
    return undefined
  }

  boolean(field: string): boolean | undefined {
    const value = this.#get(field)
    if (value === undefined || typeof value === 'boolean') return value
    this.report(`must be true or false, is ${show(value)}: ignored`, field)
    return undefined
  }

  /** A whole number within min and max; both ends count. */
  integer(field: string, min: number, max: number): number | undefined {
    const value = this.#get(field)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    this.report(`must be a whole number from ${min} to ${max}, is ${show(value)}: ignored`, field)
    return undefined
  }

  /** One of a closed set of words. */
  word<W extends string>(field: string, words: readonly W[]): W | undefined {
    const value = this.#get(field)
    if (value === undefined) return undefined
    const found = words.find(word => word === value)
    if (found === undefined) this.report(`must be ${words.join(' or ')}, is ${show(value)}: ignored`, field)
    return found
  }

  /** The object in a field; undefined when there is none. */
  record(field: string): Fields | undefined {
    const value = this.#get(field)
    if (value === undefined) return undefined
    if (isRecord(value)) return new Fields(value, this.#context, this, field, -1)
    this.report(`must be an object, is ${show(value)}: ignored`, field)
    return undefined
  }

  /** The objects in a list; what is none is reported and left out. */
  records(field: string): Fields[] {
    const found: Fields[] = []
    const list = this.#list(field)
    for (let i = 0; i < list.length; i++) {
      const item = list[i]
      if (isRecord(item)) found.push(new Fields(item, this.#context, this, field, i))
      else this.report(`must be an object, is ${show(item)}: ignored`, field, i)
    }
    return found
  }

  /** The texts in a list with their places, to be looked at, not to be kept; what is none is reported and left out. */
  strings(field: string): { readonly text: string; readonly index: number }[] {
    const found: { text: string; index: number }[] = []
    for (const [index, item] of this.#list(field).entries()) {
      if (typeof item === 'string') found.push({ text: item, index })
      else this.report(`must be a string, is ${show(item)}: ignored`, field, index)
    }
    return found
  }

  /** The fields of an object of strings whose name begins with prefix. */
  withPrefix(prefix: string): Record<string, string> {
    const found: Record<string, string> = {}
    for (const field of Object.keys(this.#json)) {
      if (!field.startsWith(prefix)) continue
      const value = this.string(field)
      if (value !== undefined) found[field] = value
    }
    return found
  }

  #list(field: string): readonly unknown[] {
    const value = this.#get(field)
    if (value === undefined) return []
    if (Array.isArray(value)) return value
    this.report(`must be a list, is ${show(value)}: ignored`, field)
    return []
  }

  #get(field: string): unknown {
    if (!Object.hasOwn(this.#json, field)) return undefined
    return this.#json[field] ?? undefined
  }
}

/** A value in a message: short, on one line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (isRecord(value)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}
