import type { WriteStream } from 'node:tty'

const styles = { bold: 1, dim: 2, red: 31, green: 32 } as const

/** What the demo shows: live on a terminal, the same as plain lines elsewhere. */
export class Screen {
  readonly terminal: boolean
  readonly #out: NodeJS.WriteStream
  #liveLines = 0
  #failures = 0

  constructor(out: NodeJS.WriteStream & Partial<WriteStream>, terminal: boolean) {
    this.#out = out
    this.terminal = terminal
  }

  /** How many checks did not hold. */
  get failures(): number {
    return this.#failures
  }

  heading(text: string): void {
    this.line('')
    this.line(this.#styled('bold', text))
  }

  line(text = ''): void {
    this.#clearLive()
    this.#out.write(`${text}\n`)
  }

  /** A command as the reader could type it. */
  command(text: string): void {
    this.line(`  ${this.#styled('dim', '$')} ${text}`)
  }

  block(lines: readonly string[]): void {
    for (const text of lines) this.line(`  ${text}`)
  }

  /** Lines that the next ones replace; nothing where there is no terminal. */
  live(lines: readonly string[]): void {
    if (!this.terminal) return
    this.#clearLive()
    const width = this.#out.columns || 80
    this.#out.write(lines.map(text => `  ${text}`.slice(0, width - 1)).join('\n'))
    this.#liveLines = lines.length
  }

  /** Says whether what should be is. */
  check(holds: boolean, text: string): void {
    if (!holds) this.#failures++
    this.line(`  ${holds ? this.#styled('green', 'ok ') : this.#styled('red', 'NOT SO')} ${text}`)
  }

  bar(): string {
    return this.terminal ? '█' : '#'
  }

  #clearLive(): void {
    if (this.#liveLines === 0) return
    const up = this.#liveLines > 1 ? `\x1b[${this.#liveLines - 1}A` : ''
    this.#out.write(`\r${up}\x1b[J`)
    this.#liveLines = 0
  }

  #styled(style: keyof typeof styles, text: string): string {
    return this.terminal ? `\x1b[${styles[style]}m${text}\x1b[0m` : text
  }
}
