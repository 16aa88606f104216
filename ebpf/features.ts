import { createMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import type { MapSpec } from './map-spec.ts'
import { bpf } from './sys/bpf.ts'
import { AttachType, Command, MapFlag, MapType, ProgramType } from './sys/bpf-enum.ts'
import { iterCreateAttr, linkCreateAttr, mapBatchAttr } from './sys/bpf-layout.ts'
import { errnoName } from './sys/errno.ts'
import { callHelper, exitProgram, setRegister, tryLoad } from './sys/instructions.ts'
import { pageSize } from './sys/mapping.ts'
import { Struct } from './sys/struct.ts'

/** `unknown`: could not tell, for lack of a capability or memory; asked again the next time. */
export type Outcome = 'yes' | 'no' | 'unknown'

/** By what the kernel does with a command that must fail: a bad descriptor is only found by one that knows it. */
const byBadDescriptor = (result: number): Outcome => {
  const name = errnoName(-result)
  return name === 'EBADF' ? 'yes' : name === 'EINVAL' ? 'no' : 'unknown'
}

const byMap = (spec: Omit<MapSpec, 'name'>): Outcome => {
  try {
    createMap({ name: 'probe', ...spec })[Symbol.dispose]()
    return 'yes'
  } catch (error) {
    return error instanceof EbpfError && error.errno === 'EINVAL' ? 'no' : 'unknown'
  }
}

/** By loading a program of a type that calls a helper with its context alone. */
const byHelper = (type: ProgramType, helper: number, argument?: number): Outcome => {
  const before = argument === undefined ? [] : [setRegister(1, argument)]
  const program = [...before, callHelper(helper), setRegister(0, 0), exitProgram]
  const { errno, log } = tryLoad(type, program, AttachType.CGROUP_INET4_CONNECT)
  if (errno === 0) return 'yes'
  // "unknown func", "invalid func unknown#187", "program of this type cannot use helper bpf_x#187".
  return /unknown func|invalid func|cannot use helper/.test(log) ? 'no' : 'unknown'
}

const byBatch = (): Outcome => {
  try {
    using map = createMap({ name: 'probe', type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 })
    const place = new Uint8Array(4)
    const attr = new Struct(mapBatchAttr, {
      map_fd: map.fd.number,
      out_batch: place,
      keys: new Uint8Array(4),
      values: new Uint8Array(4),
      count: 1,
    })
    const name = errnoName(-bpf(Command.MAP_LOOKUP_BATCH, attr))
    // The map is empty: ENOENT is the end of the pass.
    return name === 'ENOENT' || name === 'errno 0' ? 'yes' : name === 'EINVAL' ? 'no' : 'unknown'
  } catch {
    return 'unknown'
  }
}

const small = { keySize: 4, valueSize: 4, maxEntries: 1 }

const probes = {
  /** Links to cgroups: 5.7. */
  cgroup_link: () => byBadDescriptor(bpf(Command.LINK_CREATE, new Struct(linkCreateAttr, { prog_fd: -1 }))),
  /** Iterators: 5.8. */
  iter: () => byBadDescriptor(bpf(Command.ITER_CREATE, new Struct(iterCreateAttr, { link_fd: -1 }))),
  /** Batch operations on hash maps: 5.6. */
  batch: byBatch,
  /** Arrays as memory: 5.5. */
  mmapable: () => byMap({ ...small, type: MapType.ARRAY, flags: MapFlag.MMAPABLE }),
  /** Socket storage: 5.2. */
  sk_storage: () => byMap({ ...small, type: MapType.SK_STORAGE }),
  /** Ring buffers: 5.8. */
  ringbuf: () => byMap({ keySize: 0, valueSize: 0, maxEntries: pageSize(), type: MapType.RINGBUF }),
  /** bpf_set_retval in connect and sendmsg hooks: 5.19. */
  set_retval: () => byHelper(ProgramType.CGROUP_SOCK_ADDR, 187, -111),
  /** bpf_get_netns_cookie in connect and sendmsg hooks: 5.7. */
  netns_cookie: () => byHelper(ProgramType.CGROUP_SOCK_ADDR, 122),
  /** Memory of maps is accounted to the memory cgroup, not to RLIMIT_MEMLOCK: 5.11 (with ktime_get_coarse_ns). */
  memcg_accounting: () => byHelper(ProgramType.SOCKET_FILTER, 160),
} satisfies Readonly<Record<string, () => Outcome>>

export type Feature = keyof typeof probes

/** All that can be asked for. */
export const features = Object.keys(probes) as Feature[]

const known = new Map<Feature, Outcome>()

/** Whether the running kernel has a feature, found by trying. Conclusive answers are remembered. */
export const probe = (feature: Feature): Outcome => {
  const before = known.get(feature)
  if (before !== undefined) return before
  const outcome = probes[feature]()
  if (outcome !== 'unknown') known.set(feature, outcome)
  return outcome
}

/** For tests: forget what is known. */
export const forgetProbes = (): void => known.clear()
