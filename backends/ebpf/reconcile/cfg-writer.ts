import type { Cfg } from '../bindings.gen.ts'
import type { DatapathMaps } from './maps.ts'
import type { OutsideFilter } from './outside-filter.ts'
import { cidrsOf } from './rows.ts'

/** The map cfg: the ServiceCIDRs. One entry that programs read while it is written, so in three steps. */
export class CfgWriter {
  readonly #map: DatapathMaps['cfg']
  readonly #outside: OutsideFilter
  wanted: Cfg | undefined
  /** undefined: not known. */
  applied: Cfg | undefined

  constructor(map: DatapathMaps['cfg'], outside: OutsideFilter) {
    this.#map = map
    this.#outside = outside
  }

  /** What a former agent has left. */
  adopt(found: Cfg | undefined): void {
    this.applied = found
    if (found !== undefined) this.#outside.adoptCidrs(cidrsOf(found))
  }

  get dirty(): boolean {
    return this.wanted !== undefined && (this.applied === undefined || !sameCfg(this.wanted, this.applied))
  }

  /** Reads the kernel's; true when it is not what we wrote. */
  check(): boolean {
    const found = this.#map.lookup(0)
    if (this.applied === undefined || found === undefined || sameCfg(found, this.applied)) return false
    this.applied = found
    return true
  }

  write(): void {
    const { wanted, applied } = this
    if (wanted === undefined || !this.dirty) return
    this.applied = undefined
    const none = { cidr4Count: 0, cidr6Count: 0, flags: 0 }
    if (applied !== undefined) this.#map.update(0, { ...applied, ...none })
    this.#map.update(0, { ...wanted, ...none })
    this.#outside.setCidrs(cidrsOf(wanted))
    this.#map.update(0, wanted)
    this.applied = wanted
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Compares what counts: CIDRs beyond the count do not. */
function sameCfg(a: Cfg, b: Cfg): boolean {
  if (a.cidr4Count !== b.cidr4Count || a.cidr6Count !== b.cidr6Count || a.flags !== b.flags) return false
  const same4 = a.cidr4
    .slice(0, a.cidr4Count)
    .every(({ addr, mask }, index) => addr === b.cidr4[index]?.addr && mask === b.cidr4[index]?.mask)
  const same6 = a.cidr6.slice(0, a.cidr6Count).every(({ addr, mask }, index) => {
    const other = b.cidr6[index]
    return other !== undefined && sameBytes(addr, other.addr) && sameBytes(mask, other.mask)
  })
  return same4 && same6
}
