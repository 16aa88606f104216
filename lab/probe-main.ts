import { type Outcome, summarize } from './probe-result.ts'
import { tryOnce } from './try-once.ts'
import type { Target } from './who.ts'

/** What the prober is told, as JSON, in its only argument. */
export interface ProbeOrder {
  readonly target: Target
  readonly source?: string
  readonly count: number
  readonly timeoutMs: number
}

/** Runs inside of WHO's namespace and cgroup: `node probe-main.ts ORDER` prints a ProbeResult. */
// Whoever wants to know holds the other end: without him there is no point in going on.
process.stdin.on('end', () => process.exit(1)).resume()
const order = JSON.parse(process.argv[2] ?? '') as ProbeOrder
const outcomes: Outcome[] = []
for (let i = 0; i < order.count; i++) outcomes.push(await tryOnce(order.target, order))
process.stdout.write(`${JSON.stringify(summarize(outcomes))}\n`, () => process.exit(0))
