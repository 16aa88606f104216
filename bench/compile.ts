import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where clang looks for asm/types.h when it compiles for BPF: Debian keeps it per architecture. */
const include = `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`

/** A directory for what is compiled of the C here; gone after dispose. */
export class Compiled implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'kpng-bench-'))

  /** The program made of bench/NAME.c. */
  program(name: string): string {
    const out = join(this.directory, name)
    execFileSync('gcc', ['-O2', '-Wall', '-o', out, join(import.meta.dirname, `${name}.c`)])
    return out
  }

  /** The BPF object made of bench/NAME.bpf.c. */
  object(name: string): string {
    const out = join(this.directory, `${name}.bpf.o`)
    const source = join(import.meta.dirname, `${name}.bpf.c`)
    const flags = ['-target', 'bpf', '-mcpu=v2', '-O2', '-g', '-Wall', '-idirafter', include]
    execFileSync('clang', [...flags, '-c', source, '-o', out])
    return out
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
