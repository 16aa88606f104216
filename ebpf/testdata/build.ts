import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'

const folder = import.meta.dirname
const flags = [
  '-O2',
  '-g',
  '-target',
  'bpf',
  '-mcpu=v2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-unused-parameter',
]

/** The multiarch headers, in which the compiler finds asm/types.h when it compiles for BPF. */
const include = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`

/** Path of the object made of testdata/<name>.bpf.c; compiled unless this very source was before. */
export const testObject = (name: string): string => {
  const source = join(folder, `${name}.bpf.c`)
  const stamp = createHash('sha256').update(readFileSync(source)).update(flags.join(' ')).digest('hex')
  const object = join(folder, 'build', `${name}-${stamp.slice(0, 16)}.bpf.o`)
  if (existsSync(object)) return object
  mkdirSync(join(folder, 'build'), { recursive: true })
  // Under a name of its own first: several test processes may compile at once.
  const draft = `${object}.${process.pid}`
  execFileSync('clang', [...flags, include, '-c', source, '-o', draft], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  renameSync(draft, object)
  return object
}

if (import.meta.main) {
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.bpf.c')) testObject(basename(file, '.bpf.c'))
  }
}
