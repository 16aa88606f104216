import { parseArgs } from 'node:util'
import { connectBench } from './connect-bench.ts'
import { type Report, saveReport } from './report.ts'

/** `make bench`: runs the benchmarks one after the other, prints their ratios and keeps them as JSON. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    burst: { type: 'string', default: '200' },
  },
})

const benches: ReadonlyArray<() => Promise<Report>> = [
  () => connectBench(Number(values.rounds), Number(values.burst)),
]

for (const bench of benches) {
  const report = await bench()
  const path = saveReport(report)
  process.stdout.write(`${report.name}: ${JSON.stringify(report.results, null, 1)}\n`)
  for (const [what, value] of Object.entries(report.ratios)) process.stdout.write(`  ${what}: ${value}\n`)
  process.stdout.write(`  kept in ${path}\n`)
}
