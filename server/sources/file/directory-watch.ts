import { type FSWatcher, statSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import type { Problem } from '@kpng/api'
import { errorText } from './file-content.ts'
import { isManifestName, type WatchedDirectory, type WatchPlan } from './roots.ts'

/** What an event is about: one file, or anything. */
export type WatchEvent = { readonly file: string } | 'anything'

interface Watched {
  readonly identity: string
  readonly watcher: FSWatcher
}

/**
 * inotify on the directories of a plan. Each is watched by what it is, not by its name: when another directory
 * takes its place, `follow` notices and watches that one. Where watching fails the owner's poll has to do.
 */
export class DirectoryWatch implements Disposable {
  readonly #onEvent: (event: WatchEvent) => void
  readonly #watched = new Map<string, Watched>()
  #plan: WatchPlan = new Map()
  #failures: readonly Problem[] = []

  constructor(onEvent: (event: WatchEvent) => void) {
    this.#onEvent = onEvent
  }

  /** Watches these directories and no others. Says whether one of them was not watched before. */
  follow(plan: WatchPlan): boolean {
    let opened = false
    const failures: Problem[] = []
    this.#plan = plan
    for (const path of this.#watched.keys()) if (!plan.has(path)) this.#close(path)
    for (const path of plan.keys()) {
      const identity = identityOf(path)
      if (this.#watched.get(path)?.identity === identity && identity !== undefined) continue
      this.#close(path)
      if (identity === undefined) continue // its parent's events, or the poll, tell when it appears
      try {
        this.#open(path, identity)
        opened = true
      } catch (error) {
        failures.push({
          where: path,
          field: '',
          message: `cannot be watched, only polled: ${errorText(error)}`,
        })
      }
    }
    this.#failures = failures
    return opened
  }

  get problems(): readonly Problem[] {
    return this.#failures
  }

  [Symbol.dispose](): void {
    for (const path of [...this.#watched.keys()]) this.#close(path)
  }

  #open(path: string, identity: string): void {
    const watcher = watch(path, (_, name) => {
      const event = meaning(path, name, this.#plan.get(path))
      if (event !== undefined) this.#onEvent(event)
    })
    this.#watched.set(path, { identity, watcher })
    watcher.on('error', () => {
      this.#close(path)
      this.#onEvent('anything')
    })
  }

  #close(path: string): void {
    this.#watched.get(path)?.watcher.close()
    this.#watched.delete(path)
  }
}

/** undefined: no concern of ours. */
function meaning(
  path: string,
  name: string | null,
  watched: WatchedDirectory | undefined,
): WatchEvent | undefined {
  // The directory itself, or ..data and what it points to: a mounted ConfigMap has changed.
  if (name === null || name === basename(path) || name.startsWith('..')) return 'anything'
  const entry = join(path, name)
  if (watched?.entries.has(entry)) return 'anything'
  return watched?.isRoot && isManifestName(name) ? { file: entry } : undefined
}

function identityOf(path: string): string | undefined {
  try {
    const stats = statSync(path, { bigint: true })
    return stats.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined
  } catch {
    return undefined // not there, or no way to it
  }
}
