import { readFileSync } from 'node:fs'
import { EbpfError } from './error.ts'
import type { Codec } from './map.ts'

/** How many CPUs a list such as `0-3,8` names. */
export const countCpus = (list: string): number =>
  list
    .trim()
    .split(',')
    .map(range => range.split('-').map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0)

let possible: number | undefined

/** How many values a per-CPU map has for each key: CPUs that could ever be there, not those that are. */
export const possibleCpus = (): number => {
  possible ??= countCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'))
  return possible
}

/** The values of one key of a per-CPU map, each in a multiple of 8 bytes. Another count is INVALID. */
export const perCpu = <T>(value: Codec<T>, cpus: number): Codec<T[]> => {
  const stride = Math.ceil(value.size / 8) * 8
  return {
    size: stride * cpus,
    encode(values, into, offset) {
      if (values.length !== cpus) {
        throw new EbpfError('INVALID', `${values.length} values for ${cpus} CPUs`)
      }
      for (const [cpu, one] of values.entries()) value.encode(one, into, offset + cpu * stride)
    },
    decode: (from, offset) =>
      Array.from({ length: cpus }, (_, cpu) => value.decode(from, offset + cpu * stride)),
  }
}
