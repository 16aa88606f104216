/**
 * Deep equality of plain immutable data (objects, arrays, texts, numbers): what objects and views are made of.
 * Fields that are absent and fields that are undefined are the same.
 */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]))
  }
  return (
    !Array.isArray(b) && covers(a, b) && Object.keys(b).every(key => key in a || field(b, key) === undefined)
  )
}

/** Every field of a is the same in b. */
function covers(a: object, b: object): boolean {
  for (const key in a) if (!same(field(a, key), field(b, key))) return false
  return true
}

const field = (object: object, key: string): unknown => (object as Record<string, unknown>)[key]
