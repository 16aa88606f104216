import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Btf } from '../btf/btf.ts'
import { readElfSections, readElfSymbols } from '../btf/elf.ts'
import { EbpfError } from '../error.ts'
import { type BindingSource, collectBindings } from './bindings.ts'
import { differences } from './differences.ts'
import { printBindings } from './print.ts'

const USAGE = `usage: bpf2ts [--check] [--library NAME] -o OUT.ts OBJECT.o...

Writes typed bindings for the maps, structs, enums, programs and constants of compiled BPF objects that share maps.

  -o, --output FILE  the TypeScript module to write
      --check        write nothing; exit 1 and show what would change
      --library NAME where the bindings import their codecs from (default @kpng/ebpf)
`

/** Exit code: 0 done or unchanged, 1 failed or would change, 2 bad usage. */
function main(args: readonly string[]): number {
  const options = readOptions(args)
  if (options === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const { output, check, library, objects } = options
  const text = printBindings(collectBindings(objects.map(readSource)), { command: 'bpf2ts', library })
  if (!check) {
    writeFileSync(output, text)
    return 0
  }
  const found = differences(readFileSync(output, 'utf8'), text)
  if (found.length === 0) return 0
  process.stderr.write(`${output} is not what ${objects.join(' ')} would give:\n${found.join('\n')}\n`)
  return 1
}

function readOptions(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        output: { type: 'string', short: 'o' },
        check: { type: 'boolean', default: false },
        library: { type: 'string', default: '@kpng/ebpf' },
      },
    })
    if (values.output === undefined || positionals.length === 0) return undefined
    return { output: values.output, check: values.check, library: values.library, objects: positionals }
  } catch {
    return undefined
  }
}

function readSource(path: string): BindingSource {
  const bytes = readFileSync(path)
  const name = basename(path).replace(/(\.bpf)?\.o$/, '')
  const sections = readElfSections(bytes, path)
  return { name, btf: Btf.fromElf(bytes, path), sections, symbols: readElfSymbols(sections, path) }
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  const expected = error instanceof EbpfError || (error instanceof Error && 'code' in error)
  if (!expected) throw error
  process.stderr.write(`bpf2ts: ${error.message}\n`)
  process.exitCode = 1
}
