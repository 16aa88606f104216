/** The complete YAML parser, for what the simple reader leaves alone and to find the place of a field. */
import { type Document, isNode, parseDocument, type YAMLParseError } from 'yaml'
import type { FieldPath } from '../../objects/fields.ts'
import type { Range } from './split-documents.ts'

/** Text that cannot be used, or only with a word about it; offset into the whole text. */
export interface TextError {
  readonly offset: number
  readonly message: string
  /** false: a remark, the value is there. */
  readonly fatal: boolean
}

export interface CompleteResult {
  readonly value: unknown
  readonly errors: readonly TextError[]
  /** It refers to an anchor that is not in this part of the text. */
  readonly unresolvedAlias: boolean
}

/** Bound on aliases followed: a few hundred bytes of text could ask for gigabytes. */
const MAX_ALIASES = 100

/** The first mistake makes for many others. */
const MAX_ERRORS = 3

/** Bound on text for this parser, which reads about 1 MB a second. */
export const MAX_COMPLETE_CHARS = 2 << 20

export function parseCompleteYaml(text: string, range: Range): CompleteResult {
  if (range.end - range.start > MAX_COMPLETE_CHARS) {
    const message =
      'is neither JSON nor simple YAML, and too large to be read otherwise (2 MiB): use block style, or JSON'
    return {
      value: undefined,
      errors: [{ offset: range.start, message, fatal: true }],
      unresolvedAlias: false,
    }
  }
  const errors: TextError[] = []
  try {
    const document = parse(text, range)
    for (const error of document.errors
      .toSorted((a, b) => Number(isFatal(b)) - Number(isFatal(a)))
      .slice(0, MAX_ERRORS)) {
      errors.push({
        offset: range.start + error.pos[0],
        message: error.message,
        fatal: isFatal(error),
      })
    }
    const value: unknown = errors.some(error => error.fatal)
      ? undefined
      : document.toJS({ maxAliasCount: MAX_ALIASES })
    return { value, errors, unresolvedAlias: false }
  } catch (error) {
    // Too many aliases, unknown anchors, nesting beyond the stack: all thrown.
    const message = error instanceof Error ? error.message : String(error)
    errors.push({ offset: range.start, message, fatal: true })
    return { value: undefined, errors, unresolvedAlias: message.startsWith('Unresolved alias') }
  }
}

/** Of a key that is there twice the last one counts, as in JSON. */
const isFatal = (error: YAMLParseError): boolean => error.code !== 'DUPLICATE_KEY'

/** Offset of the value at a path, or of what is nearest above it, in text that parses. */
export class YamlLocator {
  #parsed: { readonly start: number; readonly document: Document } | undefined

  locate(text: string, range: Range, path: FieldPath): number {
    const document = this.#document(text, range)
    for (let depth = path.length; document !== undefined && depth > 0; depth--) {
      const node: unknown = document.getIn(path.slice(0, depth), true)
      if (isNode(node) && node.range) return range.start + node.range[0]
    }
    const { contents } = document ?? {}
    return range.start + (contents?.range?.[0] ?? 0)
  }

  /** The last one is kept: problems come in runs. */
  #document(text: string, range: Range): Document | undefined {
    if (range.end - range.start > MAX_COMPLETE_CHARS) return undefined
    if (this.#parsed?.start !== range.start) {
      try {
        this.#parsed = { start: range.start, document: parse(text, range) }
      } catch {
        return undefined // nesting beyond the stack: the range's start has to do
      }
    }
    return this.#parsed.document
  }
}

const parse = (text: string, { start, end }: Range): Document =>
  parseDocument(text.slice(start, end), { merge: true, prettyErrors: false, logLevel: 'silent' })
