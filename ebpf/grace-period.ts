import { createMap } from './bpf-map.ts'
import { coalesce } from './coalesce.ts'
import { bpf } from './sys/bpf.ts'
import { Command, MapType } from './sys/bpf-enum.ts'
import { mapElementAttr } from './sys/bpf-layout.ts'
import { errnoError } from './sys/errno.ts'
import { Struct } from './sys/struct.ts'
import { syscallAsync } from './sys/syscall.ts'

/**
 * Storing a map in an array of maps makes the kernel wait for all programs that run at that moment, so that
 * none uses the old one (maybe_wait_bpf_programs, since 4.18). That is the very promise that is needed here,
 * and unlike membarrier(2) it also holds with one CPU and with nohz_full.
 */
const gracePeriod = async (): Promise<void> => {
  const shape = { keySize: 4, valueSize: 4, maxEntries: 1 }
  using inner = createMap({ name: 'grace_inner', type: MapType.ARRAY, ...shape })
  using outer = createMap({ name: 'grace', type: MapType.ARRAY_OF_MAPS, ...shape, inner })
  const value = new Uint8Array(4)
  new DataView(value.buffer).setUint32(0, inner.fd.number, true)
  const attr = new Struct(mapElementAttr, { map_fd: outer.fd.number, key: new Uint8Array(4), value })
  const result = await syscallAsync('bpf', Command.MAP_UPDATE_ELEM, attr.bytes, attr.bytes.length)
  if (result >= 0) return
  // The other thread's errno is unknown: again, here. It waits just as well.
  const again = bpf(Command.MAP_UPDATE_ELEM, attr)
  if (again < 0) throw errnoError(-again, 'waiting for running programs')
}

/**
 * Resolves once every program that is running now has ended: what was unlinked before is then free to be used
 * again. Takes about 10 ms on another thread; calls made meanwhile share the next wait. Sleepable programs are
 * not waited for. Throws PERMISSION, NO_MEMORY.
 */
export const waitForPrograms: () => Promise<void> = coalesce(gracePeriod)
