/** What random objects are made of: weighted choices, absent values, names out of small sets, so that they meet. */
import fc from 'fast-check'

export const pick = fc.constantFrom

/** Weighted: [3, 'a'], [1, fc.nat()]. */
export const mostly = <T>(...choices: [number, T | fc.Arbitrary<T>][]): fc.Arbitrary<T> =>
  fc.oneof(
    ...choices.map(([weight, value]) => ({
      weight,
      arbitrary: isArbitrary(value) ? value : fc.constant(value),
    })),
  )

const isArbitrary = <T>(value: T | fc.Arbitrary<T>): value is fc.Arbitrary<T> =>
  value !== null && typeof value === 'object' && 'generate' in value

export const some = <T>(max: number, values: readonly T[]): fc.Arbitrary<T[]> =>
  fc.uniqueArray(pick(...values), { maxLength: max })

/** What JSON may have instead of a value. */
export const NOTHING = [null, undefined] as const

export const NAMESPACES = ['x', 'y'] as const
/** Mostly the first: what is about one Service is to meet. */
export const SERVICES = ['s1', 's1', 's1', 's2', 's2', 's3'] as const
export const PORT_NAMES = ['http', 'http', 'http', '', 'dns'] as const
export const PROTOCOLS = ['TCP', 'TCP', 'TCP', 'TCP', 'UDP', 'SCTP', ...NOTHING] as const
export const NODES = ['node-a', 'node-b', 'Node-A'] as const
export const ZONES = ['z1', 'z2'] as const
