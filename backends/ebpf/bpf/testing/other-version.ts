import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** What another version of kpng has written otherwise, by file: text of this version, and what is there instead. */
export type Edits = Readonly<Record<string, ReadonlyArray<readonly [was: string, is: string]>>>

const bpf = join(import.meta.dirname, '..')
const bpf2ts = join(import.meta.dirname, '../../../../ebpf/bpf2ts/main.ts')

/**
 * The datapath of another version, made of this version's sources and its edits: a directory with the objects, as
 * `make bytecode` compiles them, and `bindings.gen.ts`. Compiled unless these very sources were before. Throws where
 * an edit fits nowhere, or in more than one place.
 */
export function buildVersion(name: string, edits: Edits): string {
  const sources = new Map(
    readdirSync(bpf)
      .filter(file => file === 'Makefile' || /\.[ch]$/.test(file))
      .sort()
      .map(file => [file, edited(file, edits[file] ?? [])]),
  )
  for (const file of Object.keys(edits)) if (!sources.has(file)) throw new Error(`no file ${file} to edit`)
  const hash = createHash('sha256')
    .update(JSON.stringify([...sources]))
    .update(readFileSync(bpf2ts))
  const build = join(bpf, 'build')
  const directory = join(build, `version-${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(directory)) return directory
  mkdirSync(build, { recursive: true })
  // Under a name of its own first: several test processes may compile at once.
  const draft = mkdtempSync(join(build, 'draft-'))
  try {
    for (const [file, text] of sources) writeFileSync(join(draft, file), text)
    execFileSync('make', ['-s', '--no-print-directory', '-C', draft, 'bytecode'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const made = join(draft, 'build')
    const objects = readdirSync(made).filter(file => file.endsWith('.bpf.o'))
    const paths = objects.map(file => join(made, file))
    execFileSync(process.execPath, [bpf2ts, '-o', join(made, 'bindings.gen.ts'), ...paths])
    try {
      renameSync(made, directory)
    } catch (reason) {
      if (!existsSync(directory)) throw reason
    }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return directory
}

function edited(file: string, edits: ReadonlyArray<readonly [string, string]>): string {
  let text = readFileSync(join(bpf, file), 'utf8')
  for (const [was, is] of edits) {
    if (text.split(was).length !== 2) throw new Error(`an edit of ${file} fits not once: ${was}`)
    text = text.replace(was, () => is)
  }
  return text
}
