import type { Btf } from './btf.ts'
import { type Field, gapsOf, type Shape, type StructShape, shapeOf } from './shape.ts'

/** A type of a BTF. */
export interface TypeOf {
  readonly btf: Btf
  readonly id: number
}

export interface LayoutOptions {
  /** A field of one side may be reserved or padding on the other: for layouts to which fields are only added. */
  readonly mayGrow?: boolean
}

/**
 * The first thing in which two types do not mean the same bytes, as a sentence with the field's path (`slot[].vip`);
 * undefined where they do. Goes into structs and arrays; names of types do not count. Throws MALFORMED.
 */
export function layoutDifference(
  found: TypeOf,
  expected: TypeOf,
  options: LayoutOptions = {},
): string | undefined {
  return compare(shapeOf(found.btf, found.id), shapeOf(expected.btf, expected.id), '', options)
}

function compare(found: Shape, expected: Shape, path: string, options: LayoutOptions): string | undefined {
  const what = path === '' ? 'it' : `field ${path}`
  if (found.kind !== expected.kind) return `${what} is ${describe(found)}, expected ${describe(expected)}`
  if (found.kind === 'struct' && expected.kind === 'struct')
    return compareStructs(found, expected, path, options)
  if (found.kind === 'array' && expected.kind === 'array' && found.length === expected.length)
    return compare(found.of, expected.of, `${path}[]`, options)
  if (describe(found) === describe(expected)) return undefined
  return `${what} is ${describe(found)}, expected ${describe(expected)}`
}

function compareStructs(
  found: StructShape,
  expected: StructShape,
  path: string,
  options: LayoutOptions,
): string | undefined {
  const inside = path === '' ? '' : `${path}.`
  if (found.size !== expected.size)
    return `${path === '' ? 'it' : `field ${path}`} has ${found.size} bytes, expected ${expected.size}`
  const theirs = new Map(found.fields.map(field => [field.cName, field]))
  for (const field of expected.fields) {
    const other = theirs.get(field.cName)
    theirs.delete(field.cName)
    const name = `${inside}${field.cName}`
    if (other === undefined) {
      if (!(options.mayGrow && isFree(field, found))) return `field ${name} is missing`
      continue
    }
    if (placeOf(other) !== placeOf(field))
      return `field ${name} is at ${placeOf(other)}, expected at ${placeOf(field)}`
    const difference = compare(other.shape, field.shape, name, options)
    if (difference !== undefined) return difference
  }
  for (const field of theirs.values())
    if (!(options.mayGrow && isFree(field, expected))) return `field ${inside}${field.cName} is not known`
  return undefined
}

const isFree = (field: Field, struct: StructShape): boolean =>
  gapsOf(struct).some(
    gap => gap.offset <= field.offset && field.offset + field.shape.size <= gap.offset + gap.length,
  )

const placeOf = ({ offset, bitfield }: Field): string =>
  bitfield === undefined
    ? `${offset}`
    : `${offset}, bits ${bitfield.shift} to ${bitfield.shift + bitfield.width}`

function describe(shape: Shape): string {
  switch (shape.kind) {
    case 'scalar':
      return shape.codec
    case 'array':
      return `an array of ${shape.length}`
    case 'struct':
      return 'a struct'
    default:
      return `${shape.kind} of ${shape.size} bytes`
  }
}
