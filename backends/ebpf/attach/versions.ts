import type { Btf } from '@kpng/ebpf'

/** What a version of kpng writes and reads, as the BTF of its programs and maps says (enum version in maps.h). */
export interface Versions {
  /** Of the derived maps. */
  readonly layout: number
  /** Of the records that it writes into living maps. */
  readonly record: number
  /** Of those that it reads. */
  readonly oldest: number
  readonly newest: number
}

/** undefined: nothing of kpng's. */
export function versionsIn(btf: Btf): Versions | undefined {
  const values = btf.enumerators('version')
  const number = (name: string): number | undefined => {
    const value = values?.get(name)
    return typeof value === 'number' ? value : undefined
  }
  const layout = number('LAYOUT_VERSION')
  const record = number('RECORD_VERSION')
  if (layout === undefined || record === undefined) return undefined
  return {
    ...{ layout, record },
    oldest: number('RECORD_OLDEST') ?? record,
    newest: number('RECORD_NEWEST') ?? record,
  }
}
