/** Words that name a sink: they end the list of paths after `-i`. */
const isSink = (word: string): boolean => /^to-[a-z]+$/.test(word)

/**
 * Rewrites KPNG's habits into the grammar that the parser knows:
 * `-i A B to-ebpf` becomes `-i A -i B to-ebpf`, and the extra word `to-local` before a backend is dropped.
 * kube-proxy's `--version=raw` is `--version`.
 */
export function normalizeArguments(argv: readonly string[]): string[] {
  if (argv[0] !== 'file' && argv[0] !== 'kube') return [...argv]
  const out: string[] = []
  let inPaths = false
  for (const [index, word] of argv.entries()) {
    if (word === '--version=false') continue
    if (word.startsWith('--version=')) return ['--version']
    if (word === 'to-local' && isSink(argv[index + 1] ?? '')) continue
    if (word === '-i' || word === '--input') {
      inPaths = true
    } else if (word.startsWith('-') || isSink(word)) {
      inPaths = false
    } else if (inPaths && !['-i', '--input'].includes(out.at(-1) ?? '')) {
      out.push('-i')
    }
    out.push(word)
  }
  return out
}
