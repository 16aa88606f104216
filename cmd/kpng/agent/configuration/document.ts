import type { Problem } from '@kpng/api'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { type AnyField, type Fields, isSection } from './fields.ts'

/** A value that somebody gave, and where: `file:line:column` and path in the document, or a flag and ''. */
export interface Setting {
  readonly value: unknown
  readonly where: string
  readonly field: string
}

/** What was set, by path of the field. */
export type Settings = Map<string, Setting>

/** A few hundred bytes of text could ask for gigabytes. */
const maxAliasCount = 100
const badAlias = 'has too many aliases, or one to nothing, or to what it is in'

/** One document of a file, read field by field: every mistake in it is told, with its place. */
export class ConfigurationDocument {
  readonly mistakes: Problem[] = []
  readonly #file: string
  readonly #document: Document
  readonly #lines = new LineCounter()

  constructor(text: string, file: string) {
    this.#file = file
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: 'error',
      uniqueKeys: false,
    })
    for (const { message, pos } of this.#document.errors)
      this.mistakes.push({ where: this.#at(pos[0]), field: '', message })
  }

  /** undefined where the document is no mapping, which is told. */
  root(): YAMLMap | undefined {
    const root = this.#resolve(this.#document.contents)
    if (isMap(root)) return root
    if (this.mistakes.length === 0)
      this.mistakes.push({ where: this.#file, field: '', message: 'must be a mapping of fields' })
    return undefined
  }

  /** A string of the document for a choice between kinds; told by who reads the field. */
  text(map: YAMLMap, name: string): string | undefined {
    const value = map.get(name)
    return typeof value === 'string' ? value : undefined
  }

  /** The mapping below a name, taken out of its parent; undefined where there is none. */
  child(map: YAMLMap, name: string): YAMLMap | undefined {
    const node = this.#resolve(map.get(name, true))
    return isMap(node) ? node : undefined
  }

  /** `path` is where the mapping stands in the document, `key` where its fields stand among all settings. */
  read(map: YAMLMap, fields: Fields, into: Settings, path = '', key = ''): void {
    const seen = new Set<string>()
    for (const pair of map.items) {
      const keyNode = pair.key as Node
      const name = isScalar(keyNode) ? String(keyNode.value) : String(keyNode)
      const field = `${path}${name}`
      const tell = (message: string): void => this.#tell(keyNode, field, message)
      if (seen.has(name)) tell('is there twice')
      else if (!Object.hasOwn(fields, name)) tell('unknown field')
      else {
        const node = fields[name]
        const value = this.#resolve(pair.value as Node | null)
        if (value === null && isAlias(pair.value)) tell(badAlias)
        else if (node !== undefined) this.#readField(node, keyNode, value, into, field, `${key}${name}`)
      }
      seen.add(name)
    }
  }

  #readField(
    spec: Fields[string],
    keyNode: Node,
    node: Node | null,
    into: Settings,
    field: string,
    key: string,
  ): void {
    if (node === null || (isScalar(node) && node.value === null)) return
    if (!isSection(spec)) this.#readValue(spec, keyNode, node, into, field, key)
    else if (isMap(node)) this.read(node, spec.fields, into, `${field}.`, `${key}.`)
    else this.#tell(node, field, 'must be a mapping of fields')
  }

  #readValue(spec: AnyField, keyNode: Node, node: Node, into: Settings, field: string, key: string): void {
    const value = this.#valueOf(node, field)
    if (value === undefined) return
    const found = spec.type.read(value, (inside, message) =>
      this.#tell(this.#inside(node, inside), `${field}${inside}`, message),
    )
    this.#tellRepeated(node, field)
    if (found !== undefined) into.set(key, { value: found, where: this.#at(keyNode.range?.[0]), field })
  }

  /** undefined, and told, for what is in itself, or made large by aliases. */
  #valueOf(node: Node, field: string): unknown {
    try {
      const value: unknown = node.toJS(this.#document, { maxAliasCount })
      JSON.stringify(value)
      return value
    } catch {
      this.#tell(node, field, badAlias)
      return undefined
    }
  }

  /** Names given twice in a mapping that is one value. */
  #tellRepeated(node: Node, field: string): void {
    if (!isMap(node)) return
    const seen = new Set<string>()
    for (const { key } of node.items) {
      const name = String(key)
      if (seen.has(name)) this.#tell(key as Node, `${field}.${name}`, 'is there twice')
      seen.add(name)
    }
  }

  /** The node of `.name` or `[0]`, or what is nearest above it. */
  #inside(node: Node, inside: string): Node {
    const [, index, name] = /^(?:\[(\d+)\])?(?:\.(.*))?$/s.exec(inside) ?? []
    let found: unknown = node
    for (const step of [index, name]) {
      if (step === undefined) continue
      const next = (found as YAMLMap).get?.(isMap(found) ? step : Number(step), true)
      if (next === undefined) break
      found = next
    }
    return found as Node
  }

  #resolve(node: unknown): Node | null {
    return (isAlias(node) ? (node.resolve(this.#document) ?? null) : (node ?? null)) as Node | null
  }

  #tell(node: Node, field: string, message: string): void {
    this.mistakes.push({ where: this.#at(node.range?.[0]), field, message })
  }

  #at(offset: number | undefined): string {
    if (offset === undefined) return this.#file
    const { line, col } = this.#lines.linePos(offset)
    return `${this.#file}:${line}:${col}`
  }
}
