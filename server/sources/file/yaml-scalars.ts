/** What a plain scalar is: YAML 1.2 core schema, as Kubernetes' manifests are written for it. */
export type PlainScalar = string | number | boolean | null

const WORDS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ...['~', 'null', 'Null', 'NULL', ''].map(word => [word, null] as const),
  ...['true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['false', 'False', 'FALSE'].map(word => [word, false] as const),
])

const DECIMAL = /^[-+]?[0-9]+$/
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/
const OTHER_BASE = /^0(?:o([0-7]+)|x([0-9a-fA-F]+))$/
const SPECIAL = /^(?:([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** text is trimmed. */
export function plainScalar(text: string): PlainScalar {
  if (text.length <= 5) {
    const word = WORDS.get(text)
    if (word !== undefined) return word
  }
  const c = text.charCodeAt(0)
  const numeric = (c >= 0x30 && c <= 0x39) || c === 0x2d || c === 0x2b || c === 0x2e
  return numeric ? (number(text) ?? text) : text
}

function number(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number.parseInt(text, 10)
  if (FLOAT.test(text)) return Number.parseFloat(text)
  const base = OTHER_BASE.exec(text)
  if (base?.[1] !== undefined) return Number.parseInt(base[1], 8)
  if (base?.[2] !== undefined) return Number.parseInt(base[2], 16)
  const special = SPECIAL.exec(text)
  if (special === null) return undefined
  if (special[1] === undefined) return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}
