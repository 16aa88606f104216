/** PATHs to the files below them. */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorText } from './file-content.ts'
import type { FileRank } from './object-index.ts'

export type Root =
  | { readonly kind: 'file'; readonly path: string; readonly files: readonly FileRank[] }
  | {
      readonly kind: 'directory'
      readonly path: string
      readonly files: readonly FileRank[]
      readonly links: readonly string[]
    }
  /** There is nothing there (yet, or any more), or it may not be read. */
  | { readonly kind: 'missing'; readonly path: string; readonly message: string }

/** What counts below a directory; names that begin with a dot don't. */
export const isManifestName = (name: string): boolean =>
  !name.startsWith('.') && /\.(?:yaml|yml|json)$/.test(name)

/** Looks at one PATH: itself if it is a file, the manifests directly below it if it is a directory. */
export function readRoot(path: string, index: number): Root {
  try {
    if (!statSync(path).isDirectory()) return { kind: 'file', path, files: [{ path, root: index }] }
    const names = readdirSync(path, { withFileTypes: true }).filter(
      it => isManifestName(it.name) && !it.isDirectory(),
    )
    return {
      kind: 'directory',
      path,
      files: names.map(it => ({ path: join(path, it.name), root: index })),
      links: names.filter((it: Dirent) => it.isSymbolicLink()).map(it => join(path, it.name)),
    }
  } catch (error) {
    return { kind: 'missing', path, message: errorText(error) }
  }
}

/** What to look for in the events of a directory. */
export interface WatchedDirectory {
  /** It is a PATH itself: its manifests count. */
  readonly isRoot: boolean
  /** Entries of it (whole paths) that are PATHs, or targets of links. */
  readonly entries: ReadonlySet<string>
}

export type WatchPlan = ReadonlyMap<string, WatchedDirectory>

/** Directories of links' targets beyond this many are left to the poll. */
const MAX_LINK_DIRECTORIES = 64

/**
 * What to watch so that no change of these roots is missed: each directory, the place where each PATH could
 * be replaced by a rename, and the places that symbolic links point to.
 */
export function watchPlan(roots: readonly Root[]): WatchPlan {
  const plan = new Map<string, { isRoot: boolean; readonly entries: Set<string> }>()
  const directory = (path: string) => {
    const known = plan.get(path) ?? { isRoot: false, entries: new Set<string>() }
    plan.set(path, known)
    return known
  }
  const watchEntry = (path: string) => directory(dirname(path)).entries.add(path)
  let links = 0
  for (const root of roots) {
    watchEntry(root.path)
    const target = realPath(root.path)
    if (target !== undefined && target !== root.path) watchEntry(target)
    if (root.kind !== 'directory') continue
    directory(root.path).isRoot = true
    for (const link of root.links) {
      const file = realPath(link)
      if (file !== undefined && links++ < MAX_LINK_DIRECTORIES) watchEntry(file)
    }
  }
  return plan
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined // dangling: nothing to watch there
  }
}
