const MAX_LINES = 60

/**
 * The lines that differ, as `- old` and `+ new` in order, with the nearest declaration above each group; cut after
 * 60. Empty for equal texts.
 */
export function differences(before: string, after: string): string[] {
  if (before === after) return []
  const a = before.split('\n')
  const b = after.split('\n')
  const common = commonLengths(a, b)
  const found: string[] = []
  let heading = ''
  let shown = ''
  const add = (line: string) => {
    if (heading !== shown) found.push(heading)
    shown = heading
    found.push(line)
  }
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (left !== undefined && left === right) {
      if (left.startsWith('export ')) heading = left
      i++
      j++
    } else if (
      right === undefined ||
      (left !== undefined && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))
    ) {
      add(`- ${left}`)
      i++
    } else {
      add(`+ ${right}`)
      j++
    }
  }
  return found.length <= MAX_LINES
    ? found
    : [...found.slice(0, MAX_LINES), `… ${found.length - MAX_LINES} more`]
}

/** Longest common subsequence: [i][j] = of the lines from a[i] and b[j] on. */
function commonLengths(a: readonly string[], b: readonly string[]): number[][] {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = a.length - 1; i >= 0; i--) {
    const row = table[i] ?? []
    const below = table[i + 1] ?? []
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0)
    }
  }
  return table
}
