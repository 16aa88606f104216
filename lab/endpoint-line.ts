import { canonicalIP, formatAddressPort } from '@kpng/api'

/** What an endpoint of the lab answers: who it is and whom it saw. */
export interface EndpointAnswer {
  /** `10.180.0.1:80`, `[fd00::1]:80` */
  readonly pod: string
  /** Canonical; IPv4-mapped as IPv4. */
  readonly source: string
}

/** One line of JSON; `prefix` comes from `answerPrefix`. */
export const answerLine = (prefix: string, source: string): string =>
  `${prefix}${JSON.stringify(canonicalIP(source) ?? source)}}\n`

/** The part of the line that is the same for all clients of a listener. */
export const answerPrefix = (address: string, port: number): string =>
  `{"pod":${JSON.stringify(formatAddressPort(address, port))},"source":`

/** undefined when the text is not a whole answer. */
export function parseAnswer(text: string): EndpointAnswer | undefined {
  if (!text.endsWith('\n')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pod' in value) || !('source' in value))
      return undefined
    const { pod, source } = value
    return typeof pod === 'string' && typeof source === 'string' ? { pod, source } : undefined
  } catch {
    return undefined
  }
}
