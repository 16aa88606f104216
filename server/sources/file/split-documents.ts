/**
 * Takes a text apart without parsing it: YAML documents, and the items of documents that are lists. Exact for
 * valid YAML, since neither a document marker nor a dash at the items' column can be inside of a scalar there.
 */

/** text.slice(start, end); start is the start of a line. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** At the start of a line, as YAML knows lines (JavaScript's `^` knows others, too). */
const MARKER = /(?<![^\r\n])(?:---|\.\.\.)(?=[ \t\r\n]|$)/g
/** Nothing but directives, comments and blank lines: belongs to the document that follows. */
const PREFIX_ONLY = /^(?:[ \t]*(?:#.*)?\r?(?:\n|$)|%.*(?:\n|$))*$/

/** One range a document; those without content (only comments) are left out. */
export function splitDocuments(text: string): Range[] {
  const found: Range[] = []
  let start = 0
  const close = (end: number) => {
    if (/^(?![ \t]*(?:#|\r?$)).+/m.test(text.slice(start, end))) found.push({ start, end })
  }
  for (const match of text.matchAll(MARKER)) {
    const marker = match.index
    const afterLine = lineAfter(text, marker)
    if (match[0] === '...') {
      close(marker)
      start = afterLine
      continue
    }
    const before = text.slice(start, marker)
    if (before.includes('%') && PREFIX_ONLY.test(before)) continue
    close(marker)
    // What stands on the marker's own line needs the marker.
    const rest = text.slice(marker + 3, afterLine).trim()
    start = rest === '' || rest.startsWith('#') ? afterLine : marker
  }
  close(text.length)
  return found
}

/** A document whose items are taken out of it. */
export interface SplitList {
  /** Each begins with the line of its dash: a sequence of one item. */
  readonly items: readonly Range[]
  /** The document without them: kind, apiVersion, metadata, and `items:` with nothing in it. */
  readonly rest: string
}

/** undefined when the document has no block sequence `items:` at its top, or that is not plain to see. */
export function splitList(text: string, document: Range): SplitList | undefined {
  const body = text.slice(document.start, document.end)
  const key = body.startsWith('items:') ? 0 : body.indexOf('\nitems:') + 1
  if (key === 0 && !body.startsWith('items:')) return undefined
  const first = lineAfter(body, key)
  if (!/^items:(?:[ \t]+#.*)?$/.test(body.slice(key, first).trimEnd())) return undefined
  const { starts, end } = findItems(body, first)
  if (starts.length === 0) return undefined
  const items = starts.map((start, i) => ({
    start: document.start + start,
    end: document.start + (starts[i + 1] ?? end),
  }))
  return { items, rest: `${body.slice(0, first)}${body.slice(end)}` }
}

/** Starts of the lines with a dash at the column of the first one (none in case of doubt), and where the sequence ends. */
function findItems(body: string, from: number): { readonly starts: number[]; readonly end: number } {
  const starts: number[] = []
  let column = -1
  for (let line = from; line < body.length; line = lineAfter(body, line)) {
    let at = line
    while ((column < 0 || at - line < column) && body.charCodeAt(at) === 0x20) at++
    const c = body.charAt(at)
    if (c === '\n' || c === '\r' || c === '#' || c === '') continue
    if (c === '-' && /[ \r\n]|^$/.test(body.charAt(at + 1)) && (column < 0 || at - line === column)) {
      column = at - line
      starts.push(line)
    } else if (column < 0 || at - line < column || c !== ' ') {
      // The next key, or something odd.
      return at === line && c !== '\t' ? { starts, end: line } : { starts: [], end: line }
    }
  }
  return { starts, end: body.length }
}

function lineAfter(text: string, at: number): number {
  const feed = text.indexOf('\n', at)
  return feed < 0 ? text.length : feed + 1
}
