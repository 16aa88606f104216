import { EbpfError } from './error.ts'
import { enumName, MapType } from './sys/bpf-enum.ts'

/** What a map is made of: pure data, the same on every host. Sizes in bytes. */
export interface MapSpec {
  /** At most 15 bytes reach the kernel. */
  readonly name: string
  readonly type: MapType
  readonly keySize: number
  /** Of one value; a per-CPU map has one for each CPU. */
  readonly valueSize: number
  readonly maxEntries: number
  /** BPF_F_*, see MapFlag. */
  readonly flags?: number
}

type Field = 'type' | 'keySize' | 'valueSize' | 'maxEntries' | 'flags'
const fields: readonly Field[] = ['type', 'keySize', 'valueSize', 'maxEntries', 'flags']

const show = (field: Field, value: number): string =>
  field === 'type' ? enumName(MapType, value) : field === 'flags' ? `0x${value.toString(16)}` : `${value}`

/** The fields in which a map is not what was expected, as sentences: `valueSize is 8, expected 16`. */
export const layoutDifferences = (actual: MapSpec, expected: Partial<MapSpec>): string[] =>
  fields.flatMap(field => {
    const wanted = expected[field]
    const found = actual[field] ?? 0
    if (wanted === undefined || wanted === found) return []
    return [`${field} is ${show(field, found)}, expected ${show(field, wanted)}`]
  })

/** Throws LAYOUT, naming each field that differs. Fields left out of `expected` may be anything. */
export const checkLayout = (where: string, actual: MapSpec, expected: Partial<MapSpec>): void => {
  const differences = layoutDifferences(actual, expected)
  if (differences.length === 0) return
  throw new EbpfError('LAYOUT', `${where}: map ${actual.name} has another layout: ${differences.join('; ')}`)
}
