/** The text of one file to the objects in it, and what is to be said about it. */
import type { Problem } from '@kpng/api'
import { type FieldPath, formatPath, isRecord, ownText } from '../../objects/fields.ts'
import { readObject, type TypeMeta } from '../../objects/read.ts'
import type { KubeObject } from '../../objects/types.ts'
import { LineCounter } from './line-counter.ts'
import { type Entry, parseText } from './parse-text.ts'
import type { Range } from './split-documents.ts'
import { Locator } from './yaml.ts'

/** Line and column, from 1, where an object begins. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A good object, read from text of this fingerprint. */
export interface ReadObject extends Position {
  readonly object: KubeObject
  readonly fingerprint?: string
}

/** An object that the reader of an earlier version of the file has already, by its index there. */
export interface KnownObject extends Position {
  readonly known: number
}

export interface Manifest {
  /** Their strings may keep the whole text alive. */
  readonly objects: readonly (ReadObject | KnownObject)[]
  readonly problems: readonly Problem[]
  /** Kinds that kpng has no use for, the first of each with its place. */
  readonly unknownKinds: readonly UnknownKind[]
  /**
   * Some of it is no YAML, or nothing in it is an object: it may be half-written. The objects are what could be
   * read all the same. (One object that lacks its name does not make a file of many damaged.)
   */
  readonly damaged: boolean
}

export interface UnknownKind {
  readonly type: TypeMeta
  readonly where: string
  readonly count: number
}

/** Problems of one file beyond this many are only counted: finding each one's place takes time. */
const MAX_PROBLEMS = 100

/** Fingerprints of an earlier version's objects, by their index there; '' where there is none. */
export type KnownFingerprints = readonly string[]

/** file is the name that problems give. Never throws, whatever the text is. */
export function readManifest(text: string, file: string, known: KnownFingerprints = []): Manifest {
  const problems: Problem[] = []
  let suppressed = 0
  const lines = new LineCounter(text)
  const add = (place: () => number, field: string, message: string) => {
    if (problems.length < MAX_PROBLEMS)
      problems.push({ where: `${file}:${lines.at(place())}`, field, message })
    else suppressed++
  }

  let damaged = false
  let rejected = 0
  const locator = new Locator(text)
  const indexes = new Map(known.map((fingerprint, index) => [fingerprint, index]))
  const objects: (ReadObject | KnownObject)[] = []
  const unknownKinds = new Map<string, UnknownKind>()
  const take = (entry: Entry) => {
    let reported = false
    const report = (path: FieldPath, message: string) => {
      reported = true
      const { place } = entry
      const offset = () => locator.locate(place.range, [...place.path, ...path])
      add(offset, formatPath(path), describe(entry) + message)
    }
    const result = readObject(entry.value, { report, own: ownText }, entry.type)
    if (result.outcome === 'ignored') {
      if (reported) rejected++
      return
    }
    const position = lines.position(startOf(text, entry.place.range))
    if (result.outcome === 'unknown-kind') {
      noteUnknown(unknownKinds, result.type, `${file}:${position.line}:${position.column}`)
    } else if (reported || entry.fingerprint === undefined) {
      objects.push({ object: result.object, ...position })
    } else {
      objects.push({ object: result.object, ...position, fingerprint: entry.fingerprint })
    }
  }
  parseText(text, {
    entry: take,
    error: error => {
      damaged ||= error.fatal
      add(() => error.offset, '', error.message)
    },
    isKnown: (fingerprint, range) => {
      const index = indexes.get(fingerprint)
      if (index === undefined) return false
      objects.push({ known: index, ...lines.position(startOf(text, range)) })
      return true
    },
  })
  if (suppressed > 0)
    problems.push({ where: file, field: '', message: `and ${suppressed} more problems in this file` })
  damaged ||= rejected > 0 && objects.length === 0 && unknownKinds.size === 0
  return { objects, problems, unknownKinds: [...unknownKinds.values()], damaged }
}

/** `Service shop/cart: `, as far as it can be told. */
function describe({ value, type }: Entry): string {
  const metadata = isRecord(value) && isRecord(value.metadata) ? value.metadata : {}
  const { name, namespace } = metadata
  const kind = type.kind === '' ? 'object' : type.kind
  if (typeof name !== 'string' || name === '') return `${kind}: `
  return typeof namespace === 'string' ? `${kind} ${namespace}/${name}: ` : `${kind} ${name}: `
}

/** Where an entry begins, cheaply; objects in a JSON text share its beginning. */
function startOf(text: string, range: Range): number {
  const content = /[^\s-]/g
  content.lastIndex = range.start
  return content.test(text) ? content.lastIndex - 1 : range.start
}

function noteUnknown(found: Map<string, UnknownKind>, type: TypeMeta, where: string): void {
  const key = `${type.apiVersion}/${type.kind}`
  const known = found.get(key)
  found.set(key, { type, where: known?.where ?? where, count: (known?.count ?? 0) + 1 })
}
