/** What `kpng lab probe` found; the parts add up to `sent`. */
export interface ProbeResult {
  readonly sent: number
  /** How often each endpoint (`10.180.0.1:80`, `[fd00::1]:80`) answered. */
  readonly answered: Record<string, number>
  /** ECONNREFUSED */
  readonly refused: number
  /** EHOSTUNREACH, ENETUNREACH */
  readonly unreachable: number
  readonly timedOut: number
  /**
   * Everything else, by the errno's name; EPROTO where something answered that is no endpoint of a lab, or the
   * connection was closed without an answer.
   */
  readonly errors: Record<string, number>
  /** How often each source address was seen by who answered. */
  readonly sources: Record<string, number>
}

/** What came of one try. */
export type Outcome =
  | { readonly kind: 'answered'; readonly pod: string; readonly source: string }
  | { readonly kind: 'timedOut' }
  | { readonly kind: 'error'; readonly errno: string }

export function summarize(outcomes: Iterable<Outcome>): ProbeResult {
  const result = {
    sent: 0,
    answered: {} as Record<string, number>,
    refused: 0,
    unreachable: 0,
    timedOut: 0,
    errors: {} as Record<string, number>,
    sources: {} as Record<string, number>,
  }
  const count = (into: Record<string, number>, key: string): void => {
    into[key] = (into[key] ?? 0) + 1
  }
  for (const outcome of outcomes) {
    result.sent++
    if (outcome.kind === 'answered') {
      count(result.answered, outcome.pod)
      count(result.sources, outcome.source)
    } else if (outcome.kind === 'timedOut') result.timedOut++
    else if (outcome.errno === 'ECONNREFUSED') result.refused++
    else if (outcome.errno === 'EHOSTUNREACH' || outcome.errno === 'ENETUNREACH') result.unreachable++
    else count(result.errors, outcome.errno)
  }
  return result
}
