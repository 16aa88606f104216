import { existsSync } from 'node:fs'
import { dirname, normalize } from 'node:path'
import type { Problem } from '@kpng/api'
import { Sharing } from '../../objects/share.ts'
import type { KubeObject } from '../../objects/types.ts'
import { TimeSlice } from '../../view/time-slice.ts'
import { type Signature, signatureOf } from './file-content.ts'
import { FileReader, type FileReaderOptions } from './file-reader.ts'
import type { ReadObject, UnknownKind } from './manifest.ts'
import { type FileRank, ObjectIndex } from './object-index.ts'
import { type Part, parsePart, type Reading } from './reading.ts'
import { type Root, readRoot } from './roots.ts'

/** What is known of one file. */
interface FileState {
  readonly rank: FileRank
  /** Of what was last looked at; undefined: look again. */
  readonly signature: Signature | undefined
  readonly hash: string
  readonly problems: readonly Problem[]
  readonly unknownKinds: readonly UnknownKind[]
  /** Its objects are those of an earlier content, or only some of those that it is to have. */
  readonly damaged: boolean
  /** It has been read without damage once. */
  readonly wasGood: boolean
}

export interface ManifestFilesOptions extends FileReaderOptions {
  /** Larger files are not read. Default 512 MiB (the longest string that V8 can have). */
  readonly maxFileBytes?: number
}

/** For people: nobody reads more. */
const MAX_PROBLEMS = 1_000

/** What a file turned out to be; objects undefined: they stay what they are. */
interface Look {
  readonly state: FileState
  readonly objects: readonly ReadObject[] | undefined
}

/**
 * The objects in files and directories of manifests, kept up to date by `refresh`. A file that cannot be read
 * or makes no sense keeps its last good state; one that is gone takes its objects with it; a directory that is
 * gone is a directory that cannot be read.
 */
export class ManifestFiles implements AsyncDisposable {
  readonly paths: readonly string[]
  readonly #maxFileBytes: number
  readonly #reader: FileReader
  readonly #sharing = new Sharing()
  readonly #index = new ObjectIndex()
  readonly #files = new Map<string, FileState>()
  #roots: readonly Root[] = []
  /** PATHs that could be read once: whether as a directory. */
  readonly #seenRoots = new Map<string, 'file' | 'directory'>()

  constructor(paths: readonly string[], options: ManifestFilesOptions = {}) {
    this.paths = [...new Set(paths.map(path => normalize(path).replace(/(?<=.)\/+$/, '')))]
    this.#maxFileBytes = options.maxFileBytes ?? 512 << 20
    this.#reader = new FileReader(options)
  }

  /**
   * Looks at everything, or at some files only; reads what has changed. Gives the keys of objects that may have
   * changed. Others have their turns meanwhile: what they see is whole only when this has resolved. One call at a time.
   */
  async refresh(only?: ReadonlySet<string>): Promise<Set<string>> {
    const slice = new TimeSlice()
    const looks: Look[] = []
    const ranks = only === undefined ? this.#lookAtRoots() : [...only].map(path => this.#rankOf(path))
    const present = new Set<string>()
    for (const rank of ranks) {
      if (slice.isOver) await slice.next()
      const signature = statOrNone(rank.path)
      const before = this.#files.get(rank.path)
      if (before !== undefined && isCurrent(before, signature)) {
        present.add(rank.path)
        continue
      }
      const look = await this.#look(rank, signature?.size ?? 0, slice)
      if (look === undefined) continue
      present.add(rank.path)
      looks.push(look)
    }
    const gone = this.#gone(only ?? this.#files.keys(), present)

    const touched = new Set<string>()
    const replace = async (rank: FileRank, objects: readonly ReadObject[]) => {
      for (const key of this.#index.replace(rank, objects)) {
        touched.add(key)
        if (slice.isOver) await slice.next()
      }
    }
    for (const { state, objects } of looks) {
      this.#files.set(state.rank.path, state)
      if (objects !== undefined) await replace(state.rank, objects)
    }
    for (const rank of gone) {
      this.#files.delete(rank.path)
      await replace(rank, [])
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]()
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

  /** Reads a file; undefined when it is gone. */
  async #look(rank: FileRank, size: number, slice: TimeSlice): Promise<Look | undefined> {
    const before = this.#files.get(rank.path)
    const known = this.#index.objectsOf(rank)
    const { reading, parts } = await this.#reader.read(
      {
        path: rank.path,
        maxBytes: this.#maxFileBytes,
        knownHash: before?.hash ?? '',
        known: known.map(it => it.fingerprint ?? ''),
      },
      size,
    )
    if (reading.outcome === 'gone') return undefined
    const state = stateAfter(rank, before, reading)
    if (reading.outcome !== 'manifest' && reading.outcome !== 'blank') return { state, objects: undefined }
    const keep = state.damaged && state.wasGood
    return { state, objects: keep ? undefined : await this.#unpack(parts, known, slice) }
  }

  async #unpack(
    parts: readonly Part[],
    known: readonly ReadObject[],
    slice: TimeSlice,
  ): Promise<ReadObject[]> {
    const objects: ReadObject[] = []
    for (const part of parts) {
      if (slice.isOver) await slice.next()
      for (const read of parsePart(part)) {
        if ('object' in read) {
          this.#sharing.share(read.object)
          objects.push(read)
        } else {
          const { line, column } = read
          const earlier = known[read.known]
          if (earlier !== undefined) objects.push({ ...earlier, line, column })
        }
      }
    }
    return objects
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

function stateAfter(
  rank: FileRank,
  before: FileState | undefined,
  reading: Exclude<Reading, { readonly outcome: 'gone' }>,
): FileState {
  const wasGood = before?.wasGood ?? false
  switch (reading.outcome) {
    case 'unstable':
      return failed(rank, before, 'is being written', undefined)
    case 'unreadable':
      return failed(rank, before, reading.message, reading.signature)
    case 'same':
      return { ...(before ?? failed(rank, before, '', undefined)), signature: reading.signature }
    case 'blank': {
      const { signature, hash } = reading
      // A shell empties the file before `kubectl get … > file` has anything to write.
      if (wasGood) return { ...failed(rank, before, 'is empty', signature), hash }
      return { rank, signature, hash, problems: [], unknownKinds: [], damaged: false, wasGood: true }
    }
    case 'manifest': {
      const { signature, hash, problems, unknownKinds, damaged } = reading
      return { rank, signature, hash, problems, unknownKinds, damaged, wasGood: wasGood || !damaged }
    }
  }
}

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
