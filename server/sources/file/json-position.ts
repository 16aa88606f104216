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

/** Where JSON.parse gave up, from its message; the end of the text when it does not say. */
export function jsonErrorOffset(error: unknown, text: string): number {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
  return position === undefined ? text.length : Number(position)
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
