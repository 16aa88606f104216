import type { ValueType } from './value-type.ts'

/** What becomes of a field: what it does here, or why it does nothing. A sentence without its full stop. */
export type Effect = { readonly does: string } | { readonly unused: string }

export interface Field<T> {
  readonly type: ValueType<T>
  readonly default: T
  /** The type's zero value means the default: '', 0, []. Else only leaving it out does. */
  readonly zeroIsDefault: boolean
  /** Left out of print while it has its default. */
  readonly omitEmpty: boolean
  readonly effect: Effect
}

export interface Section<F> {
  readonly fields: F
}

/** Of whatever type: each prints only what it has read. */
export type AnyField = Field<unknown>

export interface Fields {
  readonly [name: string]: AnyField | Section<Fields>
}

/** The values of a tree of fields. */
export type Values<F> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : F[K] extends Section<infer G> ? Values<G> : never
}

/** `iptables.syncPeriod`: the path of each field of a tree. */
export type FieldPath<F> = {
  [K in keyof F & string]: F[K] extends Section<infer G> ? `${K}.${FieldPath<G>}` : K
}[keyof F & string]

interface FieldOptions {
  readonly zeroIsDefault?: boolean
  readonly omitEmpty?: boolean
}

export const field = <T>(
  type: ValueType<T>,
  fallback: T,
  effect: Effect,
  options: FieldOptions = {},
): Field<T> => ({
  type,
  default: fallback,
  zeroIsDefault: options.zeroIsDefault ?? false,
  omitEmpty: options.omitEmpty ?? false,
  effect,
})

export const section = <F extends Fields>(fields: F): Section<F> => ({ fields })

export const isSection = (node: AnyField | Section<Fields>): node is Section<Fields> => 'fields' in node

/** All fields of a tree with their paths, in its order. */
export function* eachField(fields: Fields, prefix = ''): Generator<[path: string, field: AnyField]> {
  for (const [name, node] of Object.entries(fields)) {
    if (isSection(node)) yield* eachField(node.fields, `${prefix}${name}.`)
    else yield [`${prefix}${name}`, node]
  }
}

const isZero = (value: unknown): boolean =>
  value === '' || value === 0 || (Array.isArray(value) && value.length === 0)

/** Whether a value is the default, or stands for it. */
export const isDefault = (field: AnyField, value: unknown): boolean =>
  (field.zeroIsDefault && isZero(value)) || JSON.stringify(value) === JSON.stringify(field.default)

/** A tree's values out of those that were set, by path; defaults for the others. */
export function valuesOf<F extends Fields>(
  fields: F,
  set: ReadonlyMap<string, unknown>,
  prefix = '',
): Values<F> {
  const values: Record<string, unknown> = {}
  for (const [name, node] of Object.entries<Fields[string]>(fields)) {
    const path = `${prefix}${name}`
    if (isSection(node)) values[name] = valuesOf(node.fields, set, `${path}.`)
    else {
      const value = set.get(path)
      values[name] = value === undefined || isDefault(node, value) ? node.default : value
    }
  }
  return values as Values<F>
}

/** To JSON, as Kubernetes prints it. */
export function printValues(
  fields: Fields,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const printed: Record<string, unknown> = {}
  for (const [name, node] of Object.entries(fields)) {
    const value = values[name]
    if (isSection(node)) printed[name] = printValues(node.fields, value as Record<string, unknown>)
    else if (!(node.omitEmpty && isDefault(node, value))) printed[name] = node.type.print(value)
  }
  return printed
}
