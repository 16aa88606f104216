import type { FieldPath } from '../../objects/fields.ts'

/**
 * Offset of the value at a path in JSON text that JSON.parse has accepted, or of what is nearest above it.
 * One pass, no recursion: what is not on the path is passed over.
 */
export function locateJson(text: string, start: number, path: FieldPath): number {
  let at = skipSpace(text, start)
  for (const step of path) {
    const found = typeof step === 'number' ? findItem(text, at, step) : findMember(text, at, step)
    if (found === undefined) break
    at = found
  }
  return at
}

const TOKEN =
  /[ \t\r\n]*("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|[[\]{},:])?/y

/** What may come next; 'end' stands for the closing bracket of what is open. */
const VALUE = ['value'] as const
const AFTER = [',', 'end'] as const
type Next = readonly ('value' | 'key' | ':' | ',' | 'end')[]

/**
 * Offset of the first token that is wrong in text that JSON.parse has refused (its message does not always say);
 * the end of the text when the text just ends.
 */
export function jsonErrorOffset(text: string): number {
  const open: ('[' | '{')[] = []
  let next: Next = VALUE
  for (let at = 0; ; ) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)?.[1]
    const start = TOKEN.lastIndex - (token?.length ?? 0)
    const top = open.at(-1)
    if (token === undefined || (next === AFTER && top === undefined)) return start
    at = TOKEN.lastIndex
    if (token === '[' || token === '{') {
      if (!next.includes('value')) return start
      open.push(token)
      next = token === '[' ? ['value', 'end'] : ['key', 'end']
    } else if (token === ']' || token === '}') {
      if (!next.includes('end') || top !== (token === ']' ? '[' : '{')) return start
      open.pop()
      next = AFTER
    } else if (token === ',' || token === ':') {
      if (!next.includes(token)) return start
      next = token === ',' && top === '{' ? ['key'] : VALUE
    } else if (next.includes('key')) {
      if (!token.startsWith('"')) return start
      next = [':']
    } else {
      if (!next.includes('value')) return start
      next = AFTER
    }
  }
}

function findItem(text: string, at: number, index: number): number | undefined {
  if (text[at] !== '[') return undefined
  let next = skipSpace(text, at + 1)
  for (let i = 0; text[next] !== ']'; i++) {
    if (i === index) return next
    next = skipComma(text, skipValue(text, next))
  }
  return undefined
}

function findMember(text: string, at: number, name: string): number | undefined {
  if (text[at] !== '{') return undefined
  let found: number | undefined
  let next = skipSpace(text, at + 1)
  while (text[next] !== '}') {
    const keyEnd = skipString(text, next)
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1)
    // The last of several with one name counts.
    if (JSON.parse(text.slice(next, keyEnd)) === name) found = value
    next = skipComma(text, skipValue(text, value))
  }
  return found
}

/** To the character after a value. */
function skipValue(text: string, at: number): number {
  let depth = 0
  let next = at
  do {
    const c = text[next]
    if (c === '"') {
      next = skipString(text, next)
      continue
    }
    if (c === '{' || c === '[') depth++
    else if (c === '}' || c === ']') depth--
    else if (depth === 0) return skipWord(text, next)
    next++
  } while (depth > 0 && next < text.length)
  return next
}

function skipWord(text: string, at: number): number {
  const word = /[\w.+-]*/y
  word.lastIndex = at
  word.test(text)
  return word.lastIndex
}

function skipString(text: string, at: number): number {
  let next = at + 1
  while (text[next] !== '"') next += text[next] === '\\' ? 2 : 1
  return next + 1
}

function skipComma(text: string, at: number): number {
  const next = skipSpace(text, at)
  return text[next] === ',' ? skipSpace(text, next + 1) : next
}

function skipSpace(text: string, at: number): number {
  let next = at
  while (next < text.length && ' \t\r\n'.includes(text.charAt(next))) next++
  return next
}
