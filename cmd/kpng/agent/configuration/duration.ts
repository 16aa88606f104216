/** Durations as Go's time package reads and prints them: 1h30m, 500ms, 0. Here they are milliseconds. */

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // micro sign
  μs: 1e-3, // Greek mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** Go's durations have 63 bits of nanoseconds. */
const MOST_MS = 2 ** 63 / 1e6

/** undefined when the text is none. */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[+-]/, '')
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined
  let ms = 0
  for (const [, number = '', unit = ''] of body.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g))
    ms += Number(number) * (MS_PER_UNIT[unit] ?? Number.NaN)
  return ms < MOST_MS ? sign * ms : undefined
}

/** As Go does: 24h0m0s, 1.5s, 20ms, 0s. */
export function formatDuration(ms: number): string {
  const nanoseconds = Math.round(Math.abs(ms) * 1e6)
  const sign = ms < 0 && nanoseconds > 0 ? '-' : ''
  if (nanoseconds === 0) return '0s'
  for (const [unit, size] of [
    ['ns', 1],
    ['µs', 1e3],
    ['ms', 1e6],
  ] as const)
    if (nanoseconds < size * 1000 && nanoseconds < 1e9) return `${sign}${nanoseconds / size}${unit}`
  const hours = Math.floor(nanoseconds / 3_600e9)
  const minutes = Math.floor((nanoseconds % 3_600e9) / 60e9)
  const seconds = (nanoseconds % 60e9) / 1e9
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`
}
