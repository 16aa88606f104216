/** Colours only on a terminal, and not where NO_COLOR asks for none (no-color.org). */
const colourful = (): boolean => process.stdout.isTTY === true && !process.env.NO_COLOR

const paint = (code: number, text: string): string => (colourful() ? `\u001b[${code}m${text}\u001b[0m` : text)
export const bold = (text: string): string => paint(1, text)
export const dim = (text: string): string => paint(2, text)
export const red = (text: string): string => paint(31, text)
export const green = (text: string): string => paint(32, text)
export const yellow = (text: string): string => paint(33, text)

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are made of
const escapes = /\u001b\[\d+m/g
const width = (text: string): number => text.replace(escapes, '').length

/** Columns as kubectl prints them: upper-case heads, three spaces between, no trailing space. */
export function formatTable(heads: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map(row => width(row[column] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join('   ')
      .trimEnd()
  return [line(heads.map(bold)), ...rows.map(line)].map(text => `${text}\n`).join('')
}

/** Writes a value for programs. yaml is loaded only when asked for. */
export async function printValue(format: 'json' | 'yaml', value: unknown): Promise<void> {
  if (format === 'json') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
  else process.stdout.write((await import('yaml')).stringify(value, { aliasDuplicateObjects: false }))
}
