import { type Dirent, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'

/** Where the kernel's objects are pinned. */
export const bpffs = '/sys/fs/bpf'
/** Everything of an instance is pinned below one directory (DESIGN: links, derived maps, living maps, counters). */
const pinRoot = join(bpffs, 'kpng')

/** Names on a bpf file system have no dots, and instances no underscores. */
export const instancePath = (instance: string): string => join(pinRoot, instance.replaceAll('.', '_'))
export const generationPath = (instance: string, generation: number): string =>
  join(instancePath(instance), `gen-${generation}`)
export const livingPath = (instance: string): string => join(instancePath(instance), 'living')
export const countPath = (instance: string): string => join(instancePath(instance), 'count')
export const linkPath = (instance: string): string => join(instancePath(instance), 'link')

/** None where there is no such directory. Throws KpngError. */
function entriesIn(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (reason) {
    if (reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return []
    // Not "nothing is there": who may not look would be told so.
    throw KpngError.from(reason, 'io', 'looking for pins (root is needed)')
  }
}

/** Names of what is pinned in a directory. */
export const namesIn = (path: string): string[] => entriesIn(path).map(entry => entry.name)

const directoriesIn = (path: string): string[] =>
  entriesIn(path)
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name)
    .sort()

/** Instances that have something pinned, sorted. */
export const pinnedInstances = (): string[] => directoriesIn(pinRoot).map(name => name.replaceAll('_', '.'))

/** Numbers of the generation directories of an instance, ascending. */
export function pinnedGenerations(instance: string): number[] {
  return directoriesIn(instancePath(instance))
    .flatMap(name => {
      const match = /^gen-(\d+)$/.exec(name)
      return match === null ? [] : [Number(match[1])]
    })
    .sort((a, b) => a - b)
}

/**
 * Removes all pins of an instance. Links go first: with its last reference a link detaches its program, so that no
 * program is left that looks into maps that are being taken away.
 */
export function removePins(instance: string): void {
  rmSync(linkPath(instance), { recursive: true, force: true })
  rmSync(instancePath(instance), { recursive: true, force: true })
}
