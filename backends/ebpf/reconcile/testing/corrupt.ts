import { EbpfError } from '@kpng/ebpf'
import type { DatapathMaps } from '../maps.ts'

/**
 * Somebody else writes into the maps: one of many things, by chance. Not into names: who loses those loses ids,
 * which is no repair.
 */
export function corrupt(maps: DatapathMaps, random: () => number): void {
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)]
  const index = 1 + Math.floor(random() * 8)
  const [key4] = pick([...maps.svc4.entries()]) ?? []
  const [key6] = pick([...maps.svc6.entries()]) ?? []
  const [address] = pick([...maps.addr4.entries()]) ?? []
  const [source4] = pick([...maps.source4.entries()]) ?? []
  const [source6] = pick([...maps.source6.entries()]) ?? []
  const value = { list: index, servicePort: 1, affinityTimeoutS: 3, flags: 0, algorithm: 0, maglev: 0 }
  const acts = [
    () => key4 !== undefined && maps.svc4.delete(key4),
    () => key6 !== undefined && maps.svc6.delete(key6),
    () => key4 !== undefined && maps.svc4.update(key4, value),
    () => maps.svc4.update({ addr: 7, port: 7, proto: 6, scope: 0 }, value),
    () => maps.svc6.update({ addr: new Uint8Array(16), port: 7, proto: 17, scope: 0 }, value),
    () => maps.svc4.update({ addr: 7, port: 7, proto: 132, scope: 1 }, value),
    () => maps.list.store64(index, 0x0000000300000002n),
    () => maps.list.store64(index, 0n),
    () => maps.backend4.write(index, [{ ...maps.backend4.read(index), port: 9 }]),
    () => maps.backend4.write(index, [{ ...maps.backend4.read(index), list: 60 }]),
    () => maps.backend6.write(index, [{ ...maps.backend6.read(index), id: 0 }]),
    () => address !== undefined && maps.addr4.delete(address),
    () => [...Array(64).keys()].forEach(word => void maps.outside.store64(word, 0n)),
    () => maps.addr4.update(7, { flags: 4 }),
    () => source4 !== undefined && maps.source4.delete(source4),
    () => source6 !== undefined && maps.source6.delete(source6),
    () => maps.source4.update({ prefixLength: 32 + 9, servicePort: index, addr: 0 }, 1),
    () => maps.source4.update({ prefixLength: 3, servicePort: 60, addr: 7 }, 1),
    () => maps.source6.update({ prefixLength: 33, servicePort: 61, addr: new Uint8Array(16) }, 1),
    () => key4 !== undefined && maps.svc4.update(key4, { ...value, flags: 1 }),
    () =>
      maps.cfg.update(0, {
        cidr4Count: 1,
        cidr6Count: 0,
        flags: 0,
        cidr4: [{ addr: 0, mask: 0 }],
        cidr6: [],
      }),
  ]
  try {
    pick(acts)?.()
  } catch (error) {
    // No room for what does not belong there.
    if (!(error instanceof EbpfError && error.code === 'MAP_FULL')) throw error
  }
}
