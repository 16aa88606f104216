import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { enableStats, openPinnedLink, openProgramById } from '@kpng/ebpf'
import { TestHost } from '../test/e2e/agent.ts'
import { endpointSlice, node, service, serviceCIDR } from '../test/e2e/manifests.ts'
import { type Report, ratio } from './report.ts'

const backend = '10.180.0.1'
const vip = '10.96.0.1'

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

/** Whether client and server share a processor makes a third of the time: it is chosen here, not by the scheduler. */
const pinned = (processor: number): string[] => ['taskset', '-c', `${Math.min(processor, cpus().length - 1)}`]

interface Percentiles {
  readonly n: number
  readonly p50_ns: number
  readonly p99_ns: number
  readonly min_ns: number
}

/** What is set up side by side: each has a cgroup and an agent of its own, and one process moves between them. */
const setups = [
  { name: 'one', services: 1, options: [] },
  { name: 'thousand', services: 1000, options: [] },
  { name: 'thousand_no_record', services: 1000, options: ['--socket-record', 'udp'] },
] as const

/**
 * connect(2) to a Service against direct, direct with and without us, at 1 and 1,000 Services, with and without
 * socket records; and the nanoseconds of each program per run, from the kernel's own statistics.
 */
export async function connectBench(rounds: number, burst: number): Promise<Report> {
  const build = mkdtempSync(join(tmpdir(), 'kpng-bench-'))
  const compile = (name: string): string => {
    const out = join(build, name)
    execFileSync('gcc', ['-O2', '-Wall', '-o', out, join(import.meta.dirname, `${name}.c`)])
    return out
  }
  try {
    await using host = new TestHost()
    host.ip(`addr add ${backend}/32 dev lo`)
    const sink = host.start([...pinned(1), compile('sink'), backend, '8080'])
    try {
      await new Promise(resolve => sink.stdout?.once('data', resolve))
      const none = join(host.cgroup, 'none')
      mkdirSync(none)
      const targets = [`direct_alone=${none}@${backend}:8080`]
      const instances = new Map<string, string>()
      for (const { name, services, options } of setups) {
        const cgroup = join(host.cgroup, name)
        mkdirSync(cgroup)
        const agent = host.agent(`-${name.replaceAll('_', '-')}`, cgroup)
        agent.write(cluster(services))
        await agent.start(options)
        instances.set(name, agent.instance)
        targets.push(`direct_${name}=${cgroup}@${backend}:8080`, `service_${name}=${cgroup}@${vip}:80`)
      }
      const connect = [...pinned(0), compile('connect')]
      const measured = await host.run([...connect, `${rounds}`, `${burst}`, ...targets], none, 300_000)
      if (measured.exitCode !== 0) throw new Error(measured.stderr)
      const connects = JSON.parse(measured.stdout) as Record<string, Percentiles>
      // Statistics cost time themselves, so programs are timed in a run of their own.
      const run = async (kind: string): Promise<Record<string, Record<string, number>>> => {
        const chosen = targets.filter(target => target.startsWith(kind) && !target.startsWith('direct_alone'))
        return await programTimes(host, [...connect, '5', `${burst}`, ...chosen], none, instances)
      }
      const programs = { service: await run('service'), direct: await run('direct') }
      const p50 = (name: string): number => connects[name]?.p50_ns ?? Number.NaN
      return {
        name: 'connect',
        parameters: { rounds, burst },
        results: { connects, nsPerRun: programs },
        ratios: {
          'direct with us / without, 1 Service': ratio(p50('direct_one'), p50('direct_alone')),
          'direct with us / without, 1,000 Services': ratio(p50('direct_thousand'), p50('direct_alone')),
          'Service / direct, 1 Service': ratio(p50('service_one'), p50('direct_alone')),
          'Service / direct, 1,000 Services': ratio(p50('service_thousand'), p50('direct_alone')),
          'Service / direct, 1,000 Services, no record': ratio(
            p50('service_thousand_no_record'),
            p50('direct_alone'),
          ),
        },
      }
    } finally {
      sink.kill('SIGKILL')
    }
  } finally {
    rmSync(build, { recursive: true, force: true })
  }
}

/** Nanoseconds per run of connect4 and sock_release of each instance, the cost of the statistics not taken off. */
async function programTimes(
  host: TestHost,
  command: readonly string[],
  cgroup: string,
  instances: ReadonlyMap<string, string>,
): Promise<Record<string, Record<string, number>>> {
  using _stats = enableStats()
  const before = readStats(instances)
  const run = await host.run(command, cgroup, 300_000)
  if (run.exitCode !== 0) throw new Error(run.stderr)
  const after = readStats(instances)
  const perRun = (setup: string, hook: string): number => {
    const first = before[setup]?.[hook]
    const last = after[setup]?.[hook]
    if (first === undefined || last === undefined || last.runs === first.runs) return Number.NaN
    return Math.round(Number(last.timeNs - first.timeNs) / Number(last.runs - first.runs))
  }
  return Object.fromEntries(
    [...instances.keys()].map(setup => [
      setup,
      Object.fromEntries(measuredHooks.map(hook => [hook, perRun(setup, hook)])),
    ]),
  )
}

const measuredHooks = ['connect4', 'sock_release']

function readStats(instances: ReadonlyMap<string, string>) {
  return Object.fromEntries(
    [...instances].map(([setup, instance]) => [
      setup,
      Object.fromEntries(
        measuredHooks.map(hook => {
          using link = openPinnedLink(`/sys/fs/bpf/kpng/${instance}/link/${hook}`)
          using program = openProgramById(link.info().programId)
          return [hook, program.stats()]
        }),
      ),
    ]),
  )
}
