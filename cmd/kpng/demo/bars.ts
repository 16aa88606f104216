/**
 * One line per name: `10.244.1.2:8080  ########  8`, the longest bar `width` characters, sorted by name. A count
 * above 0 shows at least one character.
 */
export function bars(counts: Readonly<Record<string, number>>, mark: string, width = 40): string[] {
  const names = Object.keys(counts).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const longest = Math.max(0, ...names.map(name => name.length))
  const most = Math.max(1, ...Object.values(counts))
  return names.map(name => {
    const count = counts[name] ?? 0
    const length = count === 0 ? 0 : Math.max(1, Math.round((count / most) * width))
    return `${name.padEnd(longest)}  ${mark.repeat(length).padEnd(width)}  ${count}`
  })
}

/** `4 answered by 2 backends, 3 refused`: what became of a number of tries, nothing that is zero. */
export function outcome(result: {
  readonly answered: Readonly<Record<string, number>>
  readonly refused: number
  readonly unreachable: number
  readonly timedOut: number
  readonly errors: Readonly<Record<string, number>>
}): string {
  const answered = Object.values(result.answered).reduce((sum, count) => sum + count, 0)
  const backends = Object.keys(result.answered).length
  const parts = [
    answered > 0 ? `${answered} answered by ${backends} backend${backends === 1 ? '' : 's'}` : '',
    result.refused > 0 ? `${result.refused} refused` : '',
    result.unreachable > 0 ? `${result.unreachable} unreachable` : '',
    result.timedOut > 0 ? `${result.timedOut} timed out` : '',
    ...Object.entries(result.errors).map(([code, count]) => `${count} ${code}`),
  ]
  return parts.filter(part => part !== '').join(', ') || 'nothing sent'
}
