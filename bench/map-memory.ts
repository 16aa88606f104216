import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPinnedLink, openPinnedMap, openProgramById } from '@kpng/ebpf'

export interface MapMemory {
  readonly name: string
  readonly id: number
  /** Of its pins: gen-1, living, count. */
  readonly directory: string
  readonly maxEntries: number
  readonly bytes: number
}

/** `memlock` of a BPF object's descriptor, in bytes. */
function memlock(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  return Number(/^memlock:\s+(\d+)$/m.exec(text)?.[1])
}

/**
 * The kernel's own account (fdinfo's `memlock`, since 6.4 what the map uses) of each pinned map of an instance. What
 * it leaves out: what allocators round up and keep in stock, and the records in sockets.
 */
export function mapMemory(instance: string): MapMemory[] {
  const root = join('/sys/fs/bpf/kpng', instance)
  return readdirSync(root)
    .filter(directory => directory !== 'link')
    .flatMap(directory =>
      readdirSync(join(root, directory)).map(name => {
        using map = openPinnedMap(join(root, directory, name), { readOnly: true })
        const { id, maxEntries } = map.info
        return { name, id, directory, maxEntries, bytes: memlock(map.fd.number) }
      }),
    )
}

/** The same of the programs that are attached, by hook. */
export function programMemory(instance: string): Readonly<Record<string, number>> {
  const root = join('/sys/fs/bpf/kpng', instance, 'link')
  return Object.fromEntries(
    readdirSync(root).map(hook => {
      using link = openPinnedLink(join(root, hook))
      using program = openProgramById(link.info().programId)
      return [hook, memlock(program.fd.number)]
    }),
  )
}
