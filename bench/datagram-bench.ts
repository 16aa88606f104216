import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TestHost } from '../test/e2e/agent.ts'
import { endpointSlice, node, service, serviceCIDR } from '../test/e2e/manifests.ts'
import { Compiled } from './compile.ts'
import type { Series } from './percentiles.ts'
import { programTimes } from './program-times.ts'
import { type Report, ratio } from './report.ts'

/** So many Services with a backend each; more than four at a socket go beyond what its record has room for. */
const most = 8
const backend = '10.180.0.1'
const vip = '10.96.0.1'

export interface DatagramOptions {
  readonly rounds: number
  readonly burst: number
  /** How many there are in all. */
  readonly services: number
}

/** Of each of the first Services the ClusterIP and the backend are `vip` and `backend` plus its index. */
const cluster = (services: number): unknown[] => [
  node('node-a', ['192.168.79.1']),
  serviceCIDR('10.96.0.0/16'),
  ...Array.from({ length: services }, (_, index) => {
    const name = `s${index}`
    const clusterIP = `10.96.${Math.floor((index + 1) / 256)}.${(index + 1) % 256}`
    const endpoints = [`10.180.0.${(index % most) + 1}`]
    return [
      service({ name, clusterIPs: [clusterIP], ports: [{ port: 53, protocol: 'UDP' }] }),
      endpointSlice({ service: name, ports: [{ port: 5300, protocol: 'UDP' }], endpoints }),
    ]
  }).flat(),
]

/** What datagram.c can do, and among how many Services in turn. */
const measurements = [
  { mode: 'send', among: [1] },
  { mode: 'sendto', among: [1, 4, most] },
  { mode: 'echo', among: [1, 4, most] },
  { mode: 'connected', among: [1] },
  { mode: 'query', among: [1] },
] as const

const hooks = ['connect4', 'sendmsg4', 'recvmsg4', 'sock_release']

/**
 * UDP to Services against UDP to their backends without us: one send, connected and not, among one, four and eight
 * Services in turn; there and back; and a query from a new socket. The agent has stopped by then.
 */
export async function datagramBench({ rounds, burst, services }: DatagramOptions): Promise<Report> {
  using compiled = new Compiled()
  await using host = new TestHost()
  host.addAddresses(Array.from({ length: most }, (_, index) => `10.180.0.${index + 1}/32`))
  const none = join(host.cgroup, 'none')
  const ours = join(host.cgroup, 'ours')
  for (const cgroup of [none, ours]) mkdirSync(cgroup)
  const agent = host.agent('', ours)
  agent.write(cluster(services))
  await agent.start()
  // What it has put in place goes on without it.
  await agent.stop()
  const datagram = ['taskset', '-c', '0', compiled.program('datagram')]
  const instances = new Map([['ours', agent.instance]])
  const times: Record<string, Series> = {}
  const nsPerRun: Record<string, Readonly<Record<string, number>>> = {}
  const ratios: Record<string, number> = {}
  for (const { mode, among } of measurements) {
    const command = (rounds: number, targets: readonly string[]): string[] => [
      ...[...datagram, mode, `${rounds}`, `${burst}`, `${backend}+${most}:5300`],
      ...targets,
    ]
    const service = (count: number): string => `service_${count}=${ours}@${vip}+${count}:53`
    const targets = among.flatMap(count => [
      `direct_alone_${count}=${none}@${backend}+${count}:5300`,
      `direct_${count}=${ours}@${backend}+${count}:5300`,
      service(count),
    ])
    const run = await host.run(command(rounds, targets), none, 600_000)
    if (run.exitCode !== 0) throw new Error(run.stderr)
    const series = JSON.parse(run.stdout) as Series
    times[mode] = series
    const p50 = (name: string): number => series[name]?.p50_ns ?? Number.NaN
    ratios[`${mode}, direct with us / without`] = ratio(p50('direct_1'), p50('direct_alone_1'))
    for (const count of among) {
      const whom = count === 1 ? '1 Service' : `${count} Services in turn`
      ratios[`${mode}, ${whom} / direct`] = ratio(p50(`service_${count}`), p50(`direct_alone_${count}`))
      // Statistics cost time themselves, so programs are timed in a run of their own.
      const { ours: nanoseconds = {} } = await programTimes(hooks, instances, () =>
        host.run(command(Math.ceil(rounds / 20), [service(count)]), none, 300_000),
      )
      nsPerRun[`${mode}, ${whom}`] = nanoseconds
    }
  }
  return { name: 'datagram', parameters: { rounds, burst, services }, results: { times, nsPerRun }, ratios }
}
