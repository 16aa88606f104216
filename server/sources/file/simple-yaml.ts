/**
 * A fast reader of the YAML that programs and most people write: block mappings and sequences, plain and quoted
 * scalars, literal blocks, flow collections on one line. Some forty times faster than a complete parser, which a
 * cluster's dump of tens of megabytes needs.
 *
 * It knows what it does not know: for anything else (anchors, tags, folded blocks, duplicate keys, errors …) it
 * gives up, and the complete parser decides. What it does read, it reads as that one does (YAML 1.2 core schema);
 * tests hold the two against each other.
 */
import { type PlainScalar, plainScalar } from './yaml-scalars.ts'

/** The text is not simple: only a complete parser can tell what it means, or what is wrong with it. */
export const NOT_SIMPLE = Symbol('not simple')

export type Yaml = PlainScalar | Yaml[] | { [key: string]: Yaml }

/**
 * Reads text[start, end), which begins at the start of a line and holds one node without document markers.
 * The values of keys in `skip` (at any depth) are passed over and absent from the answer.
 */
export function parseSimpleYaml(
  text: string,
  start = 0,
  end = text.length,
  skip: ReadonlySet<string> = new Set(),
): Yaml | typeof NOT_SIMPLE {
  try {
    return new Reader(text, start, end, skip).document()
  } catch (error) {
    if (error === NOT_SIMPLE) return NOT_SIMPLE
    throw error
  }
}

const NL = 0x0a
const CR = 0x0d
const TAB = 0x09
const SPACE = 0x20
const DASH = 0x2d
const COLON = 0x3a
const HASH = 0x23
const DOUBLE = 0x22
const SINGLE = 0x27
const PIPE = 0x7c
const BRACKET = 0x5b
const BRACE = 0x7b

/** More nesting than any manifest has; recursion ends here. */
const MAX_DEPTH = 64

/** YAML's bound on implicit keys. */
const MAX_KEY = 1000

/** Key names that the complete parser would not keep as they are, or that mean something to it or to JavaScript. */
const ODD_KEYS: ReadonlySet<string> = new Set(
  [
    'null',
    'Null',
    'NULL',
    'true',
    'True',
    'TRUE',
    'false',
    'False',
    'FALSE',
    '__proto__',
    '.nan',
    '.NaN',
    '.NAN',
  ].concat(['.inf', '.Inf', '.INF']),
)

const KEY_SLOTS = 512
const MAX_KNOWN_KEY = 64
/** A cache for the life of the process: what is in it never changes an answer. */
const KNOWN_KEYS: (string | undefined)[] = Array(KEY_SLOTS).fill(undefined)

class Reader {
  readonly #text: string
  readonly #end: number
  readonly #skip: ReadonlySet<string>
  /** Where the next thing to read begins. */
  #pos: number
  /** Column of #pos where it is the first thing on its line (or after a dash); -1 at the end. */
  #column = -1
  #depth = 0

  constructor(text: string, start: number, end: number, skip: ReadonlySet<string>) {
    this.#text = text
    this.#pos = start
    this.#end = end
    this.#skip = skip
  }

  document(): Yaml {
    this.#toContent()
    if (this.#column < 0) return null
    const value = this.#block()
    if (this.#column >= 0) throw NOT_SIMPLE
    return value
  }

  /** From the start of a line to the first line with something on it. */
  #toContent(): void {
    const text = this.#text
    let at = this.#pos
    for (;;) {
      const line = at
      while (at < this.#end && text.charCodeAt(at) === SPACE) at++
      if (at >= this.#end) {
        this.#pos = this.#end
        this.#column = -1
        return
      }
      const c = text.charCodeAt(at)
      if (c === NL) {
        at++
      } else if (c === HASH) {
        at = this.#lineEnd(at) + 1
      } else {
        if (c === TAB || c === CR) throw NOT_SIMPLE
        if (at === line && (text.startsWith('---', at) || text.startsWith('...', at))) throw NOT_SIMPLE
        this.#pos = at
        this.#column = at - line
        return
      }
    }
  }

  /** Index of the line feed that ends the line, or the end. */
  #lineEnd(at: number): number {
    const found = this.#text.indexOf('\n', at)
    return found < 0 || found > this.#end ? this.#end : found
  }

  /** The collection, or lone scalar, that begins here. */
  #block(): Yaml {
    if (++this.#depth > MAX_DEPTH) throw NOT_SIMPLE
    try {
      if (this.#atDash()) return this.#sequence(this.#column)
      const key = this.#tryKey()
      return key === undefined ? this.#inline(this.#column) : this.#mapping(this.#column, key)
    } finally {
      this.#depth--
    }
  }

  #atDash(): boolean {
    if (this.#text.charCodeAt(this.#pos) !== DASH) return false
    const next = this.#pos + 1 < this.#end ? this.#text.charCodeAt(this.#pos + 1) : NL
    return next === SPACE || next === NL
  }

  #sequence(column: number): Yaml[] {
    const items: Yaml[] = []
    while (this.#column === column && this.#atDash()) {
      let at = this.#pos + 1
      while (at < this.#end && this.#text.charCodeAt(at) === SPACE) at++
      const c = at < this.#end ? this.#text.charCodeAt(at) : NL
      if (c === NL || c === HASH) {
        if (c === HASH && at === this.#pos + 1) throw NOT_SIMPLE
        this.#pos = this.#lineEnd(at) + 1
        this.#toContent()
        items.push(this.#column > column ? this.#block() : null)
      } else {
        if (c === TAB || c === CR) throw NOT_SIMPLE
        this.#column = column + (at - this.#pos)
        this.#pos = at
        items.push(this.#block())
      }
    }
    if (this.#column > column) throw NOT_SIMPLE
    return items
  }

  #mapping(column: number, firstKey: string): { [key: string]: Yaml } {
    const map: { [key: string]: Yaml } = {}
    let key: string | undefined = firstKey
    for (;;) {
      // Also true for names that every object inherits: the complete parser copes with those.
      if (map[key] !== undefined) throw NOT_SIMPLE
      if (this.#skip.has(key)) this.#skipValue(column)
      else map[key] = this.#value(column)
      if (this.#column !== column) break
      if (this.#atDash()) throw NOT_SIMPLE
      key = this.#tryKey()
      if (key === undefined) throw NOT_SIMPLE
    }
    if (this.#column > column) throw NOT_SIMPLE
    return map
  }

  /** Reads `key:` and stops after the colon; undefined, and nothing read, if there is no key here. */
  #tryKey(): string | undefined {
    const text = this.#text
    const start = this.#pos
    const first = text.charCodeAt(start)
    if (first === DOUBLE || first === SINGLE) {
      const key = this.#quoted(first)
      if (text.charCodeAt(this.#pos) === COLON && this.#isBreak(this.#pos + 1)) {
        if (ODD_KEYS.has(key)) throw NOT_SIMPLE
        this.#pos++
        return key
      }
      this.#pos = start
      return undefined
    }
    if (!isKeyStart(first)) return undefined
    for (let at = start; at < this.#end; at++) {
      const c = text.charCodeAt(at)
      if (c === COLON) {
        if (!this.#isBreak(at + 1)) continue
        if (at - start > MAX_KEY) throw NOT_SIMPLE
        this.#pos = at + 1
        return this.#key(start, at)
      }
      if (!isKeyChar(c)) return undefined
    }
    return undefined
  }

  /** The same few keys come again and again: found by their looks they need not be cut out of the text. */
  #key(start: number, end: number): string {
    const text = this.#text
    const length = end - start
    const slot = (length * 37 + text.charCodeAt(start) * 7 + text.charCodeAt(end - 1)) & (KEY_SLOTS - 1)
    const known = KNOWN_KEYS[slot]
    if (known?.length === length && text.startsWith(known, start)) return known
    const key = text.slice(start, end)
    if (ODD_KEYS.has(key)) throw NOT_SIMPLE
    if (length > MAX_KNOWN_KEY) return key
    // As the engine keeps it for property names: the fastest to look up, and no part of the text.
    const [own = key] = Object.keys({ [key]: null })
    KNOWN_KEYS[slot] = own
    return own
  }

  /** Whether white space, or nothing, is at an index. */
  #isBreak(at: number): boolean {
    if (at >= this.#end) return true
    const c = this.#text.charCodeAt(at)
    return c === SPACE || c === NL
  }

  /** The value after `key:` in a mapping at column; leaves the position at the next line with content. */
  #value(column: number): Yaml {
    let at = this.#pos
    while (at < this.#end && this.#text.charCodeAt(at) === SPACE) at++
    const c = at < this.#end ? this.#text.charCodeAt(at) : NL
    if (c !== NL && c !== HASH) {
      this.#pos = at
      return this.#inline(column)
    }
    this.#pos = this.#lineEnd(at) + 1
    this.#toContent()
    if (this.#column > column) return this.#block()
    // The items of a sequence may stand as far left as the key that they belong to.
    if (this.#column === column && this.#atDash()) return this.#sequence(column)
    return null
  }

  /** Passes over what belongs to a key at column: all that is further to the right, and its sequence. */
  #skipValue(column: number): void {
    let at = this.#lineEnd(this.#pos) + 1
    for (;;) {
      this.#pos = at
      this.#toContentOrComment()
      const inside = this.#column > column || (this.#column === column && this.#atDash())
      if (!inside) break
      at = this.#lineEnd(this.#pos) + 1
    }
    if (this.#text.charCodeAt(this.#pos) === HASH) this.#toContent()
  }

  /** As toContent, but a comment counts: inside of a block of text it may be none. */
  #toContentOrComment(): void {
    const text = this.#text
    let at = this.#pos
    for (;;) {
      const line = at
      while (at < this.#end && text.charCodeAt(at) === SPACE) at++
      if (at >= this.#end) {
        this.#pos = this.#end
        this.#column = -1
        return
      }
      if (text.charCodeAt(at) === NL) {
        at++
        continue
      }
      this.#pos = text.charCodeAt(at) === HASH ? line : at
      this.#column = at - line
      return
    }
  }

  /** A scalar or flow collection that begins here, its parent being at column. */
  #inline(column: number): Yaml {
    const c = this.#text.charCodeAt(this.#pos)
    switch (c) {
      case DOUBLE:
      case SINGLE: {
        const value = this.#quoted(c)
        this.#endOfLine()
        return value
      }
      case BRACKET:
      case BRACE: {
        const value = this.#flow()
        this.#endOfLine()
        return value
      }
      case PIPE:
        return this.#literal(column)
      default:
        return this.#plain(column)
    }
  }

  /** Nothing but white space and a comment may follow; goes to the next line with content. */
  #endOfLine(): void {
    let at = this.#pos
    while (at < this.#end && this.#text.charCodeAt(at) === SPACE) at++
    if (at < this.#end) {
      const c = this.#text.charCodeAt(at)
      const comment = c === HASH && at > this.#pos
      if (c !== NL && !comment) throw NOT_SIMPLE
    }
    this.#pos = this.#lineEnd(at) + 1
    this.#toContent()
  }

  /** A quoted text on one line; stops after the closing quote. */
  #quoted(quote: number): string {
    const text = this.#text
    const start = this.#pos + 1
    let at = start
    let escaped = false
    for (; ; at++) {
      if (at >= this.#end) throw NOT_SIMPLE
      const c = text.charCodeAt(at)
      if (c === NL || c === CR || c === TAB) throw NOT_SIMPLE
      if (c === quote) {
        if (quote === DOUBLE || text.charCodeAt(at + 1) !== SINGLE || at + 1 >= this.#end) break
        escaped = true
        at++
      } else if (c === 0x5c && quote === DOUBLE) {
        escaped = true
        at++
      }
    }
    this.#pos = at + 1
    const raw = text.slice(start, at)
    if (!escaped) return raw
    return quote === SINGLE ? raw.replaceAll("''", "'") : unescapeDouble(raw)
  }

  /** A plain scalar on one line. */
  #plain(column: number): PlainScalar {
    const text = this.#text
    const start = this.#pos
    const first = text.charCodeAt(start)
    if (!isPlainStart(first) || ((first === COLON || first === DASH) && this.#isBreak(start + 1)))
      throw NOT_SIMPLE
    const lineEnd = this.#lineEnd(start)
    let at = start + 1
    for (; at < lineEnd; at++) {
      const c = text.charCodeAt(at)
      if (c === COLON && (at + 1 >= lineEnd || text.charCodeAt(at + 1) === SPACE)) throw NOT_SIMPLE
      if (c === HASH && text.charCodeAt(at - 1) === SPACE) break
      if (c < SPACE) throw NOT_SIMPLE
    }
    while (text.charCodeAt(at - 1) === SPACE) at--
    this.#pos = lineEnd + 1
    this.#toContent()
    // A line further to the right goes on with this scalar.
    if (this.#column > column) throw NOT_SIMPLE
    return plainScalar(text.slice(start, at))
  }

  /** `|` or `|-`: the lines as they are, without their indentation. */
  #literal(column: number): string {
    const text = this.#text
    let at = this.#pos + 1
    const strip = text.charCodeAt(at) === DASH
    if (strip) at++
    if (at >= this.#end || text.charCodeAt(at) !== NL) throw NOT_SIMPLE
    at++
    const lines: string[] = []
    let indent = -1
    let blank = 0
    while (at < this.#end) {
      const lineEnd = this.#lineEnd(at)
      let content = at
      while (content < lineEnd && (indent < 0 || content < at + indent) && text.charCodeAt(content) === SPACE)
        content++
      if (content === lineEnd) {
        // More white space than the lines after it have would be an error.
        if (indent < 0 && content > at) throw NOT_SIMPLE
        blank++
      } else {
        if (indent < 0) indent = content - at
        if (content - at < indent || indent <= column) break
        while (blank > 0) {
          lines.push('')
          blank--
        }
        lines.push(text.slice(content, lineEnd))
      }
      at = lineEnd + 1
    }
    this.#pos = Math.min(at, this.#end)
    this.#toContent()
    if (this.#column > column || lines.length === 0) throw NOT_SIMPLE
    const value = lines.join('\n')
    if (value.includes('\r') || value.includes('\t')) throw NOT_SIMPLE
    return strip ? value : `${value}\n`
  }

  /** A flow collection on one line; stops after it. */
  #flow(): Yaml {
    if (++this.#depth > MAX_DEPTH) throw NOT_SIMPLE
    const value = this.#text.charCodeAt(this.#pos) === BRACKET ? this.#flowSequence() : this.#flowMapping()
    this.#depth--
    return value
  }

  #flowSequence(): Yaml[] {
    const items: Yaml[] = []
    this.#pos++
    if (this.#flowPeek() === ']') {
      this.#pos++
      return items
    }
    for (;;) {
      items.push(this.#flowValue())
      if (this.#flowNext(']')) return items
    }
  }

  #flowMapping(): { [key: string]: Yaml } {
    const map: { [key: string]: Yaml } = {}
    this.#pos++
    if (this.#flowPeek() === '}') {
      this.#pos++
      return map
    }
    for (;;) {
      const key = this.#flowKey()
      if (map[key] !== undefined || this.#flowPeek() === '\n') throw NOT_SIMPLE
      const value = this.#flowValue()
      if (!this.#skip.has(key)) map[key] = value
      if (this.#flowNext('}')) return map
    }
  }

  /** Reads `key:`. After a quoted one, as in JSON, the value may follow without a space. */
  #flowKey(): string {
    const c = this.#flowPeek()
    if (c !== '"' && c !== "'") {
      const plain = this.#tryKey()
      if (plain === undefined) throw NOT_SIMPLE
      return plain
    }
    const key = this.#quoted(c.charCodeAt(0))
    if (ODD_KEYS.has(key) || this.#text.charCodeAt(this.#pos) !== COLON) throw NOT_SIMPLE
    this.#pos++
    return key
  }

  #flowValue(): Yaml {
    const c = this.#flowPeek()
    if (c === '[' || c === '{') return this.#flow()
    if (c === '"' || c === "'") return this.#quoted(c.charCodeAt(0))
    const found = /[\w./:-]*/y
    found.lastIndex = this.#pos
    const word = found.exec(this.#text)?.[0] ?? ''
    // A colon at the end, or a dash alone, means something else.
    if (word === '' || word.endsWith(':') || !/^[\w./]|^-\w/.test(word)) throw NOT_SIMPLE
    this.#pos += word.length
    return plainScalar(word)
  }

  /** Past a comma (false) or the closing bracket (true). */
  #flowNext(close: string): boolean {
    const c = this.#flowPeek()
    this.#pos++
    if (c === close) return true
    if (c !== ',' || this.#flowPeek() === close) throw NOT_SIMPLE
    return false
  }

  /** The next character that is not a space. */
  #flowPeek(): string {
    while (this.#text.charCodeAt(this.#pos) === SPACE) this.#pos++
    return this.#pos < this.#end ? this.#text.charAt(this.#pos) : '\n'
  }
}

const isAlpha = (c: number): boolean => (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a)
const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39
/** Letters, '_' and '.': never a number, an indicator or a merge key. */
const isKeyStart = (c: number): boolean => isAlpha(c) || c === 0x5f || c === 0x2e
/** And digits, '-' and '/'. */
const isKeyChar = (c: number): boolean => isKeyStart(c) || isDigit(c) || c === DASH || c === 0x2f
/** Also '/', '+', '-' (not the dash of a sequence), ':' (IPv6 addresses), '<', '=', '(', '$', '~', '^', ';'. */
function isPlainStart(c: number): boolean {
  return isKeyChar(c) || c === COLON || '+<=($~^;'.includes(String.fromCharCode(c))
}

/** JSON's escapes mean the same in YAML; others are left to the complete parser. */
function unescapeDouble(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    throw NOT_SIMPLE
  }
}
