import { existsSync } from 'node:fs'
import { dirname, normalize } from 'node:path'
import type { Problem } from '@kpng/api'
import type { KubeObject } from '../../objects/types.ts'
import { readContent, type Signature, signatureOf } from './file-content.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { type FileRank, ObjectIndex } from './object-index.ts'
import { type Root, readRoot } from './roots.ts'

/** What is known of one file. */
interface FileState {
  readonly rank: FileRank
  /** Of what was last looked at; undefined: look again. */
  readonly signature: Signature | undefined
  readonly hash: string
  readonly problems: readonly Problem[]
  readonly unknownKinds: Manifest['unknownKinds']
  /** Its objects are those of an earlier content, or only some of those that it is to have. */
  readonly damaged: boolean
  /** It has been read without damage once. */
  readonly wasGood: boolean
}

export interface ManifestFilesOptions {
  /** Larger files are not read. Default 512 MiB (the longest string that V8 can have). */
  readonly maxFileBytes?: number
}

/** For people: nobody reads more. */
const MAX_PROBLEMS = 1_000

/** How long to go on before others get a turn. */
const SLICE_MS = 15

/**
 * The objects in files and directories of manifests, kept up to date by `refresh`. A file that cannot be read
 * or makes no sense keeps its last good state; one that is gone takes its objects with it; a directory that is
 * gone is a directory that cannot be read.
 */
export class ManifestFiles {
  readonly paths: readonly string[]
  readonly #maxFileBytes: number
  readonly #index = new ObjectIndex()
  readonly #files = new Map<string, FileState>()
  #roots: readonly Root[] = []
  /** PATHs that could be read once: whether as a directory. */
  readonly #seenRoots = new Map<string, 'file' | 'directory'>()

  constructor(paths: readonly string[], options: ManifestFilesOptions = {}) {
    this.paths = [...new Set(paths.map(path => normalize(path).replace(/(?<=.)\/+$/, '')))]
    this.#maxFileBytes = options.maxFileBytes ?? 512 << 20
  }

  /**
   * Looks at everything, or at some files only; reads what has changed. All changes become visible together at
   * the end. Gives the keys of objects that may have changed. One call at a time.
   */
  async refresh(only?: ReadonlySet<string>): Promise<Set<string>> {
    const slice = new Slice()
    const states: FileState[] = []
    const contents: { readonly rank: FileRank; readonly objects: Manifest['objects'] }[] = []
    const ranks = only === undefined ? this.#lookAtRoots() : [...only].map(path => this.#rankOf(path))
    const present = new Set<string>()
    for (const rank of ranks) {
      await slice.pause()
      const before = this.#files.get(rank.path)
      const signature = statOrNone(rank.path)
      if (before !== undefined && isCurrent(before, signature)) {
        present.add(rank.path)
        continue
      }
      const read = this.#read(rank, before)
      if (read === undefined) continue
      present.add(rank.path)
      states.push(read.state)
      if (read.objects !== undefined) contents.push({ rank, objects: read.objects })
    }
    const gone = this.#gone(only ?? this.#files.keys(), present)
    for (const rank of gone) contents.push({ rank, objects: [] })

    const touched = new Set<string>()
    for (const { path } of gone) this.#files.delete(path)
    for (const state of states) this.#files.set(state.rank.path, state)
    for (const { rank, objects } of contents) {
      for (const key of this.#index.replace(rank, objects)) touched.add(key)
    }
    return touched
  }

  get(key: string): KubeObject | undefined {
    return this.#index.get(key)
  }

  objects(): IterableIterator<KubeObject> {
    return this.#index.objects()
  }

  /** `file:line:column` of an object. */
  whereIs(key: string): string {
    return this.#index.whereIs(key)
  }

  /** As they were at the last refresh of everything. */
  get roots(): readonly Root[] {
    return this.#roots
  }

  /** Every PATH could be read at least once: nothing is missing but what is known to be damaged. */
  get isComplete(): boolean {
    return this.paths.every(path => this.#seenRoots.has(path))
  }

  /** Files that were never good: there may be objects in them that nobody knows of. */
  get neverGood(): string[] {
    return [...this.#files.values()].filter(file => !file.wasGood).map(file => file.rank.path)
  }

  /** At most MAX_PROBLEMS and a last one that counts the rest. */
  problems(): Problem[] {
    const found: Problem[] = []
    for (const root of this.#roots) {
      if (root.kind === 'missing') found.push({ where: root.path, field: '', message: this.#missing(root) })
    }
    for (const file of this.#files.values()) {
      found.push(...file.problems)
      if (!file.damaged) continue
      const message = file.wasGood
        ? 'its last good state stays in force'
        : 'only what could be read of it is used'
      found.push({ where: file.rank.path, field: '', message })
    }
    found.push(...this.#index.problems())
    if (found.length <= MAX_PROBLEMS) return found
    const more = {
      where: this.paths.join(' '),
      field: '',
      message: `and ${found.length - MAX_PROBLEMS} more problems`,
    }
    return [...found.slice(0, MAX_PROBLEMS), more]
  }

  /** Kinds that are passed over: once each, not once an object. */
  notes(): Problem[] {
    const kinds = new Map<string, { readonly where: string; count: number }>()
    for (const { unknownKinds } of this.#files.values()) {
      for (const { type, where, count } of unknownKinds) {
        const name = `${type.kind} (${type.apiVersion === '' ? 'no apiVersion' : type.apiVersion})`
        const known = kinds.get(name)
        if (known === undefined) kinds.set(name, { where, count })
        else known.count += count
      }
    }
    return [...kinds].map(([name, { where, count }]) => ({
      where,
      field: 'kind',
      message: `${name} is of no use here: ${count === 1 ? 'skipped' : `skipped, as are ${count - 1} more`}`,
    }))
  }

  /** All files of all roots, and those of missing directories as they were. */
  #lookAtRoots(): FileRank[] {
    this.#roots = this.paths.map(readRoot)
    const ranks = new Map<string, FileRank>()
    for (const [index, root] of this.#roots.entries()) {
      const known = root.kind === 'missing' ? this.#kept(index, root.path) : root.files
      if (root.kind !== 'missing') this.#seenRoots.set(root.path, root.kind)
      for (const rank of known) if (!ranks.has(rank.path)) ranks.set(rank.path, rank)
    }
    return [...ranks.values()]
  }

  /** The files of a directory that is not there now stay what they are; a file that is not there is gone. */
  #kept(index: number, path: string): FileRank[] {
    if (this.#seenRoots.get(path) === 'file') return []
    return [...this.#files.values()].map(file => file.rank).filter(rank => rank.root === index)
  }

  #rankOf(path: string): FileRank {
    const known = this.#files.get(path)?.rank
    if (known !== undefined) return known
    const root = this.#roots.findIndex(it => it.path === path || it.path === dirname(path))
    return { path, root }
  }

  /** Files that are not there any more, out of those looked at. */
  #gone(among: Iterable<string>, present: ReadonlySet<string>): FileRank[] {
    // Asked once more, and last: a directory may have been moved away while its files were looked at.
    const away = new Set(
      this.paths.filter(path => this.#seenRoots.get(path) === 'directory' && !existsSync(path)),
    )
    const found: FileRank[] = []
    for (const path of among) {
      const rank = this.#files.get(path)?.rank
      if (rank === undefined || present.has(path) || away.has(this.paths[rank.root] ?? '')) continue
      found.push(rank)
    }
    return found
  }

  /** undefined when the file is gone. objects undefined: they stay what they are. */
  #read(
    rank: FileRank,
    before: FileState | undefined,
  ): { readonly state: FileState; readonly objects: Manifest['objects'] | undefined } | undefined {
    const content = readContent(rank.path, this.#maxFileBytes)
    switch (content.outcome) {
      case 'gone':
        return undefined
      case 'unstable':
        return { state: failed(rank, before, 'is being written', undefined), objects: undefined }
      case 'unreadable':
        return { state: failed(rank, before, content.message, content.signature), objects: undefined }
    }
    const { text, hash, signature } = content
    if (before?.hash === hash) return { state: { ...before, signature }, objects: undefined }
    const wasGood = before?.wasGood ?? false
    if (wasGood && text.trim() === '') {
      // A shell empties the file before `kubectl get … > file` has anything to write.
      return { state: { ...failed(rank, before, 'is empty', signature), hash }, objects: undefined }
    }
    const { objects, problems, unknownKinds, damaged } = readManifest(text, rank.path)
    const state = { rank, signature, hash, problems, unknownKinds, damaged, wasGood: wasGood || !damaged }
    return { state, objects: damaged && wasGood ? undefined : objects }
  }

  #missing({ path, message }: { readonly path: string; readonly message: string }): string {
    const stays = this.#seenRoots.get(path) === 'directory' ? ': its last good state stays in force' : ''
    return `cannot be read: ${message}${stays}`
  }
}

/** undefined also where there is no way to it: reading it will tell why. */
function statOrNone(path: string): Signature | undefined {
  try {
    return signatureOf(path)
  } catch {
    return undefined
  }
}

const isCurrent = (state: FileState, now: Signature | undefined): boolean =>
  state.signature !== undefined && !state.signature.racy && state.signature.text === now?.text

function failed(
  rank: FileRank,
  before: FileState | undefined,
  message: string,
  signature: Signature | undefined,
): FileState {
  return {
    rank,
    signature,
    hash: '',
    problems: [{ where: rank.path, field: '', message }],
    unknownKinds: before?.unknownKinds ?? [],
    damaged: true,
    wasGood: before?.wasGood ?? false,
  }
}

/** Gives way to others every so often. */
class Slice {
  #startMs = performance.now()

  async pause(): Promise<void> {
    if (performance.now() - this.#startMs < SLICE_MS) return
    await new Promise(resolve => setImmediate(resolve))
    this.#startMs = performance.now()
  }
}
