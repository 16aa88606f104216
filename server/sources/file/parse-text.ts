/** Text to values, each with its place, so that whatever is said of a value later can name line and column. */
import { hash } from 'node:crypto'
import { type FieldPath, isRecord } from '../../objects/fields.ts'
import { type TypeMeta, typeMeta } from '../../objects/read.ts'
import { type Range, splitDocuments, splitList } from './split-documents.ts'
import { parseYaml, type TextError, type YamlResult } from './yaml.ts'

/** One object of a file; items of lists stand by themselves. */
export interface Entry {
  readonly value: unknown
  /** What it says it is, or what the list that it is in says of its items. */
  readonly type: TypeMeta
  readonly place: Place
  /** The same for the same text that means the same; only where all of the meaning is in its own text. */
  readonly fingerprint?: string
}

/** A value is at `path` inside of what the range parses to. */
export interface Place {
  readonly range: Range
  readonly path: FieldPath
}

/** Lists in lists. */
const MAX_LIST_DEPTH = 2

/** Takes what is found, in order of the text. Values are not kept here: a cluster's worth of them is much. */
export interface TextSink {
  entry(entry: Entry): void
  error(error: TextError): void
  /** An entry of this fingerprint is next: true when it is known and need not be read again. */
  isKnown(fingerprint: string, range: Range): boolean
}

/** Reads every document of a text, YAML or JSON. What cannot be read is an error, the rest goes on. */
export function parseText(text: string, sink: TextSink): void {
  for (const document of splitDocuments(text)) {
    if (!parseJson(text, document, sink) && !parseList(text, document, sink)) parseWhole(text, document, sink)
  }
}

/** false when it is not JSON. */
function parseJson(text: string, range: Range, sink: TextSink): boolean {
  const body = text.slice(range.start, range.end)
  if (!/^\s*[{[]/.test(body)) return false
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return false // YAML in flow style, or wrong: the other parser says where
  }
  addEntries(value, typeMeta(value), { range, path: [] }, 0, sink)
  return true
}

function parseWhole(text: string, range: Range, sink: TextSink): void {
  const { value, error } = parseYaml(text, range)
  if (error !== undefined) sink.error(error)
  if (value !== undefined) addEntries(value, typeMeta(value), { range, path: [] }, 0, sink)
}

/**
 * Item by item: one that is wrong loses none of the others, one that is known need not be read, and a cluster's
 * dump is never in memory as a whole. false when there is any doubt that this is the same as the whole.
 */
function parseList(text: string, document: Range, sink: TextSink): boolean {
  const list = splitList(text, document)
  if (list === undefined) return false
  const { value: head, error } = parseYaml(list.rest, { start: 0, end: list.rest.length })
  if (error !== undefined || !isRecord(head) || head.items !== null) return false
  const type = typeMeta(head)
  if (type.kind !== '' && !type.kind.endsWith('List')) return false
  if (type.kind === '') {
    // kubectl writes the kind of a list after its items.
    sink.error({ offset: document.start, message: 'a list without kind: half-written?', fatal: true })
  }
  let whole: YamlResult | undefined
  for (const [i, range] of list.items.entries()) {
    const fingerprint = fingerprintOf(type, text.slice(range.start, range.end))
    if (sink.isKnown(fingerprint, range)) continue
    const { value, error } = parseYaml(text, range)
    if (Array.isArray(value) && value.length === 1) {
      if (error !== undefined) sink.error(error)
      addItem(value[0], type, { range, path: [0] }, sink, error === undefined ? fingerprint : undefined)
      continue
    }
    // Right all the same if it needs the others: an alias to an anchor in another item.
    whole ??= parseYaml(text, document)
    const items = isRecord(whole.value) ? whole.value.items : undefined
    if (Array.isArray(items) && items.length === list.items.length) {
      addItem(items[i], type, { range: document, path: ['items', i] }, sink)
    } else {
      sink.error(error ?? { offset: range.start, message: 'is not one item of a list', fatal: true })
    }
  }
  return true
}

const fingerprintOf = (list: TypeMeta, item: string): string =>
  hash('sha1', `${list.apiVersion} ${list.kind}\n${item}`, 'base64')

function addItem(item: unknown, list: TypeMeta, place: Place, sink: TextSink, fingerprint?: string): void {
  addEntries(item, itemType(item, list), place, 1, sink, fingerprint)
}

function addEntries(
  value: unknown,
  type: TypeMeta,
  place: Place,
  depth: number,
  sink: TextSink,
  fingerprint?: string,
): void {
  if (value === null) return
  const items = isRecord(value) && type.kind.endsWith('List') ? (value.items ?? []) : undefined
  if (!Array.isArray(items) || depth >= MAX_LIST_DEPTH) {
    sink.entry({ value, type, place, ...(fingerprint !== undefined && { fingerprint }) })
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
