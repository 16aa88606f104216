import { KpngError } from '@kpng/api'

/** What a person reads when a command fails, and the exit code: 2 for bad usage, 1 for the rest. */
export function describeFailure(reason: unknown): { text: string; exitCode: number } {
  const lines: string[] = []
  const seen = new Set<unknown>()
  for (let error = reason; error instanceof Error && !seen.has(error); error = error.cause) {
    seen.add(error)
    const message = error.message.trim()
    if (!lines.some(line => line.includes(message))) lines.push(message)
  }
  if (lines.length === 0) lines.push(String(reason))
  const [first, ...rest] = lines
  const expected = reason instanceof KpngError && reason.code !== 'internal'
  const stack = !expected && reason instanceof Error && reason.name !== 'EbpfError' ? `${reason.stack}\n` : ''
  const causes = rest.map(line => `  because: ${line}\n`).join('')
  return {
    text: `kpng: ${first}\n${causes}${stack}`,
    exitCode: reason instanceof KpngError && reason.code === 'usage' ? 2 : 1,
  }
}
