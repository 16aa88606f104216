export interface BackoffOptions {
  readonly firstMs: number
  readonly mostMs: number
}

/** Doubles from firstMs to mostMs, between half and all of it by chance: those who failed together spread out. */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const whole = Math.min(options.mostMs, options.firstMs * 2 ** Math.min(attempt, 30))
  return whole * (0.5 + random() / 2)
}
