import { type Logger, pino } from 'pino'

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A logger, and what it has written. */
export function recordedLog(level = 'trace'): { readonly logger: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const logger = pino(
    { level, base: null, timestamp: false, formatters: { level: label => ({ level: label }) } },
    { write: (line: string) => lines.push(JSON.parse(line)) },
  )
  return { logger, lines }
}
