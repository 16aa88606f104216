import { parseArgs } from 'node:util'
import { connectBench } from './connect-bench.ts'
import { connectCompared } from './connect-compared.ts'
import { coreBench } from './core-bench.ts'
import { datagramBench } from './datagram-bench.ts'
import { document } from './document.ts'
import { kubeBench } from './kube-bench.ts'
import { type Report, saveReport } from './report.ts'
import { scaleBench } from './scale-bench.ts'
import { socketMemoryBench } from './socket-memory-bench.ts'

/** `make bench`: runs the benchmarks one after the other, prints their ratios and keeps them as JSON; --document puts what is kept into the docs. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    burst: { type: 'string', default: '200' },
    'connect-services': { type: 'string', default: '1000' },
    'many-services': { type: 'string', default: '50000' },
    sockets: { type: 'string', default: '20000' },
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    changes: { type: 'string', default: '200' },
    'bulk-changes': { type: 'string', default: '10000' },
    'rolling-endpoints': { type: 'string', default: '1000' },
    'kube-proxy-changes': { type: 'string', default: '10' },
    'no-kube-proxy': { type: 'boolean', default: false },
    'profile-directory': { type: 'string' },
    results: { type: 'string' },
    only: { type: 'string' },
    document: { type: 'boolean', default: false },
  },
})

const services = Number(values.services)
const endpoints = Number(values.endpoints)
const changes = Number(values.changes)

/** What else the machine does lasts some milliseconds, and has to meet all alike. */
const shortBursts = () => ({
  rounds: Number(values.rounds) * 20,
  burst: Math.ceil(Number(values.burst) / 20),
})

const benches: Readonly<Record<string, () => Promise<Report>>> = {
  core: () => coreBench(Number(values.rounds)),
  connect: () => connectBench({ ...shortBursts(), many: Number(values['many-services']) }),
  'connect-compared': () =>
    connectCompared({
      services: Number(values['connect-services']),
      ...shortBursts(),
    }),
  datagram: () => datagramBench({ ...shortBursts(), services: Number(values['connect-services']) }),
  'socket-memory': () => socketMemoryBench(Number(values.sockets)),
  scale: () => scaleBench({ services, endpoints, changes }),
  kube: () =>
    kubeBench({
      ...{ services, endpoints, changes },
      bulkChanges: Number(values['bulk-changes']),
      rollingEndpoints: Number(values['rolling-endpoints']),
      kubeProxyChanges: Number(values['kube-proxy-changes']),
      kubeProxy: !values['no-kube-proxy'],
      profileDirectory: values['profile-directory'],
    }),
}

if (values.document) {
  document(values.results)
  process.exit()
}
for (const [name, bench] of Object.entries(benches)) {
  if (values.only !== undefined && values.only !== name) continue
  const report = await bench()
  const path = saveReport(report, values.results)
  process.stdout.write(`${report.name}: ${JSON.stringify(report.results, null, 1)}\n`)
  for (const [what, value] of Object.entries(report.ratios)) process.stdout.write(`  ${what}: ${value}\n`)
  process.stdout.write(`  kept in ${path}\n`)
}
