import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** As esbuild gives it. */
interface OutputFile {
  readonly path: string
  readonly contents: Uint8Array
}

const entry = 'main.mjs'
/** A running command may still import them. */
const keepOldMs = 24 * 3_600_000

/**
 * Writes a bundle so that a command that starts meanwhile finds the one before or this one, whole: parts are called by
 * their content, and the entry comes last. The entry is as old as the build's start, so that a source that was changed
 * since then is newer. Parts that no bundle of the last day had are removed.
 */
export function putBundle(directory: string, files: readonly OutputFile[], builtAt: Date): void {
  mkdirSync(directory, { recursive: true })
  const isEntry = (file: OutputFile): boolean => basename(file.path) === entry
  for (const file of files.toSorted((a, b) => Number(isEntry(a)) - Number(isEntry(b)))) {
    const path = join(directory, basename(file.path))
    const temporary = `${path}.${process.pid}.new`
    writeFileSync(temporary, file.contents)
    utimesSync(temporary, builtAt, builtAt)
    renameSync(temporary, path)
  }
  const current = new Set(files.map(file => basename(file.path)))
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (!current.has(name) && modified < builtAt.getTime() - keepOldMs) rmSync(path, { force: true })
  }
}
