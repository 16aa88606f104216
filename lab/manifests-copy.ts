import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { labDir, manifestsPath } from './names.ts'

/** The files that an agent reads of a directory. */
const isManifest = (name: string): boolean => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.')

/** A copy of the user's manifests that nobody reads yet. */
export interface ManifestsCopy {
  readonly directory: string
  /** Adds a file of objects that the user did not write. */
  add(stem: string, objects: readonly unknown[]): void
  /** Makes it what the agents read, at once and as a whole. */
  publish(): void
  /** Removes all other copies. */
  removeOthers(): void
  /** Says the user's own paths where problems speak of the copy's. */
  translate(problems: readonly Problem[]): Problem[]
}

/** Copies the manifests of a directory, or one file. Throws io. */
export function copyManifests(lab: string, source: string): ManifestsCopy {
  const name = `manifests.${process.pid}.${Date.now()}`
  const directory = join(labDir(lab), name)
  let isDirectory: boolean
  try {
    mkdirSync(directory, { recursive: true })
    isDirectory = statSync(source).isDirectory()
    if (isDirectory) {
      for (const entry of readdirSync(source)) {
        const path = join(source, entry)
        if (isManifest(entry) && statSync(path).isFile()) copyFileSync(path, join(directory, entry))
      }
    } else {
      const file = basename(source)
      copyFileSync(source, join(directory, isManifest(file) ? file : 'manifests.yaml'))
    }
  } catch (reason) {
    rmSync(directory, { recursive: true, force: true })
    throw KpngError.from(reason, 'io', `manifests of ${source}`)
  }
  return {
    directory,
    add(stem, objects) {
      const taken = new Set(readdirSync(directory))
      let file = `${stem}.json`
      for (let i = 2; taken.has(file); i++) file = `${stem}-${i}.json`
      writeFileSync(join(directory, file), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    },
    publish() {
      const link = manifestsPath(lab)
      symlinkSync(name, `${link}.new`)
      renameSync(`${link}.new`, link)
    },
    removeOthers() {
      for (const entry of readdirSync(labDir(lab)))
        if (/^manifests\.\d/.test(entry) && entry !== name)
          rmSync(join(labDir(lab), entry), { recursive: true, force: true })
    },
    translate(problems) {
      const copies = [directory, manifestsPath(lab)]
      return problems.map(problem => {
        const copy = copies.find(path => problem.where.startsWith(`${path}/`))
        if (copy === undefined) return problem
        const where = isDirectory
          ? `${source}${problem.where.slice(copy.length)}`
          : problem.where.slice(copy.length + 1)
        return { ...problem, where }
      })
    },
  }
}
