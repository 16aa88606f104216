/** Text to values, each with its place, so that whatever is said of a value later can name line and column. */
import { type FieldPath, isRecord } from '../../objects/fields.ts'
import { type TypeMeta, typeMeta } from '../../objects/read.ts'
import {
  type CompleteResult,
  MAX_COMPLETE_CHARS,
  parseCompleteYaml,
  type TextError,
  YamlLocator,
} from './complete-yaml.ts'
import { jsonErrorOffset, locateJson } from './json-position.ts'
import { NOT_SIMPLE, parseSimpleYaml } from './simple-yaml.ts'
import { type Range, splitDocuments, splitList } from './split-documents.ts'

/** One object of a file; items of lists stand by themselves. */
export interface Entry {
  readonly value: unknown
  /** What it says it is, or what the list that it is in says of its items. */
  readonly type: TypeMeta
  readonly place: Place
}

/** A value is at `path` inside of what the range parses to. */
export interface Place {
  readonly format: 'yaml' | 'json'
  readonly range: Range
  readonly path: FieldPath
}

/** Long, and of no use to anybody here. */
const SKIPPED: ReadonlySet<string> = new Set(['managedFields', 'ownerReferences'])

/** Lists in lists in lists. */
const MAX_LIST_DEPTH = 4

/** Takes what is found, in order of the text. Values are not kept here: a cluster's worth of them is much. */
export interface TextSink {
  entry(entry: Entry): void
  error(error: TextError): void
}

/** Reads every document of a text, YAML or JSON. What cannot be read is an error, the rest goes on. */
export function parseText(text: string, sink: TextSink): void {
  for (const document of splitDocuments(text)) parseOne(text, document, sink)
}

/** Offset of a field of an entry. */
export class Locator {
  readonly #text: string
  readonly #yaml = new YamlLocator()

  constructor(text: string) {
    this.#text = text
  }

  locate({ format, range, path }: Place, field: FieldPath): number {
    const whole = [...path, ...field]
    if (format === 'json') return locateJson(this.#text, range.start, whole)
    return this.#yaml.locate(this.#text, range, whole)
  }
}

function parseOne(text: string, document: Range, sink: TextSink): void {
  const body = text.slice(document.start, document.end)
  if (/^\s*[{[]/.test(body)) {
    if (parseJson(body, document, sink)) return
  } else if (parseList(text, document, sink)) {
    return
  }
  const { value, errors } = parseYaml(text, document)
  for (const error of errors) sink.error(error)
  if (errors.some(error => error.fatal)) return
  addEntries(value, typeMeta(value), { format: 'yaml', range: document, path: [] }, 0, sink)
}

/** false when it may still be YAML (flow style). */
function parseJson(body: string, range: Range, sink: TextSink): boolean {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    // Small enough: the other parser knows better what is wrong with it, if anything is.
    if (body.length <= MAX_COMPLETE_CHARS) return false
    const message = error instanceof Error ? error.message : String(error)
    sink.error({ offset: range.start + jsonErrorOffset(body), message, fatal: true })
    return true
  }
  addEntries(value, typeMeta(value), { format: 'json', range, path: [] }, 0, sink)
  return true
}

/** Item by item: one that is not simple, or wrong, makes the others neither slow nor lost. false: no such list. */
function parseList(text: string, document: Range, sink: TextSink): boolean {
  const list = splitList(text, document)
  if (list === undefined) return false
  const head = parseSimpleYaml(list.rest)
  const type = typeMeta(head ?? {})
  if ((head !== null && !isRecord(head)) || (type.kind !== '' && !type.kind.endsWith('List'))) return false
  if (head !== null && 'items' in head) return false
  if (type.kind === '') {
    // kubectl writes the kind of a list after its items.
    sink.error({ offset: document.start, message: 'a list without kind: half-written?', fatal: true })
  }
  let whole: CompleteResult | undefined
  for (const [i, range] of list.items.entries()) {
    const { value, errors, unresolvedAlias } = parseYaml(text, range)
    if (unresolvedAlias) {
      // Its anchor is in another item: only the whole document can tell.
      if (whole === undefined) {
        whole = parseCompleteYaml(text, document)
        for (const error of whole.errors) sink.error(error)
      }
      addItem(
        isRecord(whole.value) ? whole.value.items : [],
        i,
        type,
        { range: document, path: ['items', i] },
        sink,
      )
      continue
    }
    for (const error of errors) sink.error(error)
    addItem(value, 0, type, { range, path: [0] }, sink)
  }
  return true
}

function addItem(
  items: unknown,
  i: number,
  list: TypeMeta,
  place: Omit<Place, 'format'>,
  sink: TextSink,
): void {
  const item: unknown = Array.isArray(items) ? items[i] : undefined
  if (item !== undefined) addEntries(item, itemType(item, list), { format: 'yaml', ...place }, 1, sink)
}

function parseYaml(text: string, range: Range): CompleteResult {
  const value = parseSimpleYaml(text, range.start, range.end, SKIPPED)
  return value === NOT_SIMPLE ? parseCompleteYaml(text, range) : { value, errors: [], unresolvedAlias: false }
}

function addEntries(value: unknown, type: TypeMeta, place: Place, depth: number, sink: TextSink): void {
  if (value === null) return
  const items = isRecord(value) && type.kind.endsWith('List') ? (value.items ?? []) : undefined
  if (!Array.isArray(items) || depth >= MAX_LIST_DEPTH) {
    sink.entry({ value, type, place })
    return
  }
  for (const [i, item] of items.entries()) {
    addEntries(item, itemType(item, type), { ...place, path: [...place.path, 'items', i] }, depth + 1, sink)
  }
}

/** Items of a ServiceList (as the API server gives them) do not name their kind. */
function itemType(item: unknown, list: TypeMeta): TypeMeta {
  const own = typeMeta(item)
  if (own.kind !== '' || list.kind === 'List' || list.kind === '') return own
  return {
    apiVersion: own.apiVersion === '' ? list.apiVersion : own.apiVersion,
    kind: list.kind.slice(0, -'List'.length),
  }
}
