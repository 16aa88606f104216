import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AttachType, attachCgroup, loadObject } from '@kpng/ebpf'
import { TestHost } from '../test/e2e/agent.ts'
import { endpointSlice, node, service, serviceCIDR } from '../test/e2e/manifests.ts'
import { Compiled } from './compile.ts'
import type { Series } from './percentiles.ts'
import { pinned } from './pinned.ts'
import { programTimes } from './program-times.ts'
import { type Report, ratio } from './report.ts'

const backend = '10.180.0.1'
const vip = '10.96.0.1'

/** Their ClusterIPs are one after the other, from `vip` on. */
const cluster = (services: number): unknown[] => [
  node('node-a', ['192.168.79.1']),
  serviceCIDR('10.96.0.0/16'),
  ...Array.from({ length: services }, (_, index) => {
    const name = `s${index}`
    const clusterIP = `10.96.${Math.floor((index + 1) / 256)}.${(index + 1) % 256}`
    return [
      service({ name, clusterIPs: [clusterIP], ports: [{ port: 80 }] }),
      endpointSlice({ service: name, ports: [{ port: 8080 }], endpoints: [backend] }),
    ]
  }).flat(),
]

const noRecord = ['--socket-record', 'udp']

/** Programs of bench/floor.bpf.c, each with a cgroup of its own. */
const floors = [
  { name: 'empty', program: 'empty_connect4' },
  { name: 'record', program: 'record_connect4' },
] as const

/** `many`: how many Services the largest set-up has. */
export interface ConnectOptions {
  readonly rounds: number
  readonly burst: number
  readonly many: number
}

/** What is set up side by side: each has a cgroup and an agent of its own, and one process moves between them. */
const setupsOf = (many: number) =>
  [
    { name: 'one', services: 1, options: [] },
    { name: 'thousand', services: 1000, options: [] },
    { name: 'many', services: many, options: [] },
    { name: 'thousand_no_record', services: 1000, options: noRecord },
    { name: 'many_no_record', services: many, options: noRecord },
  ] as const

/** The cgroups with the programs that bound what can be reached from below. */
function attachFloors(host: TestHost, object: string, made: DisposableStack): string[] {
  const loaded = made.use(loadObject(object))
  return floors.map(({ name, program }) => {
    const cgroup = join(host.cgroup, `floor-${name}`)
    mkdirSync(cgroup)
    const attach = (program: string, attachType: AttachType): void =>
      void made.use(attachCgroup({ program: loaded.program(program), cgroup, attachType }))
    attach(program, AttachType.CGROUP_INET4_CONNECT)
    attach('empty_sock_release', AttachType.CGROUP_INET_SOCK_RELEASE)
    return `floor_${name}=${cgroup}@${backend}:8080`
  })
}

/**
 * connect(2) to a Service against direct, direct with and without us, at 1, 1,000 and many Services (one of them, and
 * all in turn), with and without socket records, and with programs that do nothing; close(2) of the same; and the
 * nanoseconds of each program per run, from the kernel's own statistics. The agents have stopped by then.
 */
export async function connectBench({ rounds, burst, many }: ConnectOptions): Promise<Report> {
  using compiled = new Compiled()
  await using host = new TestHost()
  using made = new DisposableStack()
  host.ip(`addr add ${backend}/32 dev lo`)
  const sink = host.start([...pinned(1), compiled.program('sink'), backend, '8080'])
  made.defer(() => void sink.kill('SIGKILL'))
  await new Promise(resolve => sink.stdout?.once('data', resolve))
  const none = join(host.cgroup, 'none')
  mkdirSync(none)
  const alone = `direct_alone=${none}@${backend}:8080`
  const targets = attachFloors(host, compiled.object('floor'), made)
  const instances = new Map<string, string>()
  for (const { name, services, options } of setupsOf(many)) {
    const cgroup = join(host.cgroup, name)
    mkdirSync(cgroup)
    const agent = host.agent(`-${name.replaceAll('_', '-')}`, cgroup)
    agent.write(cluster(services))
    await agent.start(options)
    // What it has put in place goes on without it.
    await agent.stop()
    instances.set(name, agent.instance)
    targets.push(`direct_${name}=${cgroup}@${backend}:8080`, `service_${name}=${cgroup}@${vip}:80`)
    if (services === many) targets.push(`turn_${name}=${cgroup}@${vip}+${many}:80`)
  }
  const connect = [...pinned(0), compiled.program('connect')]
  const measured = await host.run([...connect, `${rounds}`, `${burst}`, alone, ...targets], none, 600_000)
  if (measured.exitCode !== 0) throw new Error(measured.stderr)
  const connects = JSON.parse(measured.stdout) as Series
  // Statistics cost time themselves, so programs are timed in a run of their own.
  const timesOf = (kind: string) => {
    const chosen = targets.filter(target => target.startsWith(kind))
    const command = [...connect, '5', `${burst * 10}`, ...chosen]
    return programTimes(['connect4', 'sock_release'], instances, () => host.run(command, none, 300_000))
  }
  const nsPerRun = {
    service: await timesOf('service_'),
    turn: await timesOf('turn_'),
    direct: await timesOf('direct_'),
  }
  return {
    name: 'connect',
    parameters: { rounds, burst, many },
    results: { connects, nsPerRun },
    ratios: ratiosOf(connects),
  }
}

function ratiosOf(connects: Series): Record<string, number> {
  const p50 = (name: string): number => connects[name]?.p50_ns ?? Number.NaN
  const toDirect = (name: string): number => ratio(p50(name), p50('direct_alone'))
  return {
    'direct, programs that do nothing / without': toDirect('floor_empty'),
    'direct, programs that only make a record / without': toDirect('floor_record'),
    'direct with us / without, 1 Service': toDirect('direct_one'),
    'direct with us / without, 1,000 Services': toDirect('direct_thousand'),
    'direct with us / without, many Services': toDirect('direct_many'),
    'Service / direct, 1 Service': toDirect('service_one'),
    'Service / direct, 1,000 Services': toDirect('service_thousand'),
    'Service / direct, many Services': toDirect('service_many'),
    'Service / direct, many Services in turn': toDirect('turn_many'),
    'Service / direct, 1,000 Services, no record': toDirect('service_thousand_no_record'),
    'Service / direct, many Services, no record': toDirect('service_many_no_record'),
    'Service / direct, many Services in turn, no record': toDirect('turn_many_no_record'),
    'Service with many / with 1': ratio(p50('service_many'), p50('service_one')),
    'close of a Service / direct, 1,000 Services': ratio(
      p50('service_thousand_close'),
      p50('direct_alone_close'),
    ),
    'close of direct with us / without, 1,000 Services': ratio(
      p50('direct_thousand_close'),
      p50('direct_alone_close'),
    ),
  }
}
