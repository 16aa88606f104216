import {
  copyFileSync,
  existsSync,
  lstatSync,
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
  /** Files that could not be copied. What the lab had of them is in the copy. */
  readonly problems: readonly Problem[]
  /** Adds a file of objects that the user did not write. */
  add(stem: string, objects: readonly unknown[]): void
  /** Makes it what the agents read, at once and as a whole. */
  publish(): void
  /** Removes all other copies. */
  removeOthers(): void
  /** Says the user's own paths where problems speak of the copy's. */
  translate(problems: readonly Problem[]): Problem[]
}

/** Copies the manifests of a directory, or one file. Throws io when there is nothing to copy from. */
export function copyManifests(lab: string, source: string): ManifestsCopy {
  const name = `manifests.${process.pid}.${Date.now()}`
  const directory = join(labDir(lab), name)
  let file: string | undefined
  let problems: Problem[] = []
  try {
    mkdirSync(directory, { recursive: true })
    if (statSync(source).isDirectory()) {
      problems = copyDirectory(source, directory, manifestsPath(lab))
    } else {
      file = isManifest(basename(source)) ? basename(source) : 'manifests.yaml'
      copyFileSync(source, join(directory, file))
    }
  } catch (reason) {
    rmSync(directory, { recursive: true, force: true })
    throw KpngError.from(reason, 'io', `manifests of ${source}`)
  }
  return {
    directory,
    problems,
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
      const speakOfSource = (text: string): string =>
        [directory, manifestsPath(lab)].reduce(
          (said, copy) =>
            file === undefined
              ? said.replaceAll(`${copy}/`, `${source.replace(/\/+$/, '')}/`)
              : said.replaceAll(`${copy}/${file}`, source),
          text,
        )
      return problems.map(({ where, field, message }) => ({
        where: speakOfSource(where),
        field,
        message: speakOfSource(message),
      }))
    },
  }
}

/** A file that cannot be read is as it was in `before`, the copy in force, if it was there. */
function copyDirectory(source: string, directory: string, before: string): Problem[] {
  const problems: Problem[] = []
  for (const entry of readdirSync(source).filter(isManifest)) {
    const path = join(source, entry)
    try {
      if (statSync(path).isFile()) copyFileSync(path, join(directory, entry))
    } catch (reason) {
      const hasVanished = lstatSync(path, { throwIfNoEntry: false }) === undefined
      if (hasVanished) continue
      problems.push({ where: path, field: '', message: `cannot be read: ${describe(reason)}` })
      const last = join(before, entry)
      if (existsSync(last)) copyFileSync(last, join(directory, entry))
    }
  }
  return problems
}

/** `ENOENT: no such file or directory` */
const describe = (reason: unknown): string => KpngError.from(reason).message.replace(/, \w+ '.*$/s, '')
