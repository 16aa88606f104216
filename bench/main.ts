import { parseArgs } from 'node:util'
import { connectBench } from './connect-bench.ts'
import { type Report, saveReport } from './report.ts'
import { scaleBench } from './scale-bench.ts'

/** `make bench`: runs the benchmarks one after the other, prints their ratios and keeps them as JSON. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    burst: { type: 'string', default: '200' },
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    changes: { type: 'string', default: '200' },
    only: { type: 'string' },
  },
})

const benches: Readonly<Record<string, () => Promise<Report>>> = {
  connect: () => connectBench(Number(values.rounds), Number(values.burst)),
  scale: () => scaleBench(Number(values.services), Number(values.endpoints), Number(values.changes)),
}

for (const [name, bench] of Object.entries(benches)) {
  if (values.only !== undefined && values.only !== name) continue
  const report = await bench()
  const path = saveReport(report)
  process.stdout.write(`${report.name}: ${JSON.stringify(report.results, null, 1)}\n`)
  for (const [what, value] of Object.entries(report.ratios)) process.stdout.write(`  ${what}: ${value}\n`)
  process.stdout.write(`  kept in ${path}\n`)
}
