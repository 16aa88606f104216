/** Parsed JSON in which something else stands in place of a field; for tests of what reads it. */
import fc from 'fast-check'
import { type FieldPath, isRecord } from './fields.ts'

/** A step is the index of a key or an item, modulo their number. */
export interface Mutation {
  readonly path: readonly number[]
  readonly change: 'remove' | 'replace' | 'rename' | 'repeat'
  readonly value: unknown
}

const leaf = fc.oneof(
  fc.constantFrom(
    null,
    true,
    '',
    ' ',
    '0',
    '-1',
    'IPv4',
    '10.0.0.1',
    '10.0.0.1/33',
    'fd00::1',
    '::ffff:10.0.0.1',
  ),
  fc.constantFrom(
    0,
    -1,
    1.5,
    65_536,
    2 ** 53,
    1e308,
    Number.NaN,
    'None',
    'Local',
    '__proto__',
    'constructor',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.integer(),
)

/** Something that nobody expects in a field. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('name', 'ip', 'port', 'addresses', '__proto__', 'x'), leaf, { maxKeys: 3 }),
  fc.constantFrom([[]], [{}], [null], {}),
)

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  path: fc.array(fc.nat(12), { minLength: 1, maxLength: 6 }),
  change: fc.constantFrom('remove', 'replace', 'replace', 'rename', 'repeat'),
  value: junk,
})

/** A changed value, and the place of what has changed. */
export interface Mutated {
  readonly value: unknown
  readonly at: FieldPath
}

/** The value with the field changed that the path leads to. `keep`: fields that stay, as `metadata.name`. */
export function mutate(
  value: unknown,
  { path, change, value: other }: Mutation,
  keep: ReadonlySet<string> = new Set(),
  above: FieldPath = [],
): Mutated {
  const [step = 0, ...rest] = path
  const deeper = (inner: unknown, key: string | number): Mutated =>
    mutate(inner, { path: rest, change, value: other }, keep, [...above, key])
  if (Array.isArray(value)) {
    if (value.length === 0) return { value: other, at: above }
    const at = step % value.length
    const list: unknown[] = [...value]
    if (rest.length > 0) {
      const inner = deeper(value[at], at)
      list[at] = inner.value
      return { value: list, at: inner.at }
    }
    if (change === 'remove') list.splice(at, 1)
    else if (change === 'repeat') list.push(...Array.from({ length: 40 }, () => value[at]))
    else list[at] = other
    return { value: list, at: change === 'replace' || change === 'rename' ? [...above, at] : above }
  }
  if (!isRecord(value)) return { value: other, at: above }
  const keys = Object.keys(value).filter(key => !keep.has([...above, key].join('.')))
  const key = keys[step % keys.length]
  if (key === undefined) return { value, at: above }
  const at = [...above, key]
  const { [key]: old, ...others } = value
  if (rest.length > 0 && typeof old === 'object' && old !== null) {
    const inner = deeper(old, key)
    return { value: { ...value, [key]: inner.value }, at: inner.at }
  }
  // What is kept lies inside of it.
  if ([...keep].some(it => it.startsWith(`${at.join('.')}.`))) return { value, at: above }
  if (change === 'remove') return { value: others, at }
  if (change === 'rename') return { value: { ...others, [`${key}x`]: old }, at }
  return { value: { ...value, [key]: other }, at }
}

/** What names an object. */
export const identity: ReadonlySet<string> = new Set([
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
])
