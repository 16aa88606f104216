/** What a logger must be able to do: pino's is one. */
export interface ObserveLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
