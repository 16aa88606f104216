import { camelCase } from '../btf/shape.ts'

const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof undefined var void while with yield'
  ).split(' '),
)

/** svc4_key -> svc4Key; words that TypeScript or the bindings themselves need get an underscore. */
export function valueName(cName: string, taken: ReadonlySet<string> = new Set()): string {
  const name = camelCase(cName)
  return RESERVED.has(name) || taken.has(name) ? `${name}_` : name
}

/** svc4_key -> Svc4Key. */
export function typeName(cName: string): string {
  const name = camelCase(cName)
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/**
 * The prefix that all values of an enum share, up to and with an underscore; for a single value, what it shares with
 * the enum's own name. Empty where a name without it would not begin with a letter.
 */
export function enumPrefix(enumName: string, values: readonly string[]): string {
  const [first = '', ...others] = values
  const compared = others.length === 0 ? [`${enumName.toUpperCase()}_`] : others
  let length = first.length
  for (const other of compared) {
    let same = 0
    while (same < length && first[same] === other[same]) same++
    length = same
  }
  const prefix = first.slice(0, first.lastIndexOf('_', length - 1) + 1)
  return values.every(value => /^[A-Za-z]/.test(value.slice(prefix.length))) ? prefix : ''
}
