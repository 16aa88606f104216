import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from '../test/e2e/agent.ts'
import { kpngPath } from '../test/e2e/lab.ts'
import { endpointSlice, node, service } from '../test/e2e/manifests.ts'
import { postJson } from '../test/e2e/unix-http.ts'
import { type Report, ratio } from './report.ts'

const servicesPerFile = 100

const address = (network: string, number: number): string =>
  `10.${network}.${Math.floor(number / 250) % 250}.${(number % 250) + 1}`

const clusterIP = (index: number): string => address(`${96 + Math.floor(index / 62_500)}`, index)

/** `generation` moves the first endpoint of the Service, as a pod that is replaced does. */
function serviceAndSlice(index: number, endpoints: number, generation = 0): unknown[] {
  const name = `s${index}`
  const addresses = Array.from({ length: endpoints }, (_, endpoint) =>
    endpoint === 0 && generation > 0
      ? address('250', generation)
      : address(`${128 + Math.floor((index * endpoints + endpoint) / 62_500)}`, index * endpoints + endpoint),
  )
  return [
    service({ name, clusterIPs: [clusterIP(index)], ports: [{ name: 'http', port: 80 }] }),
    endpointSlice({ service: name, ports: [{ name: 'http', port: 8080 }], endpoints: addresses }),
  ]
}

const list = (items: readonly unknown[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

function residentMiB(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(match?.[1] ?? Number.NaN) / 1024)
}

const percentile = (sorted: readonly number[], share: number): number =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 100) /
  100

/**
 * Files to kernel: how long a cold agent takes for a whole cluster, and one changed slice among all of them, from
 * the rename of the file to the answer that the maps carry it (which includes the call itself; measured alone too).
 */
export async function scaleBench(services: number, endpoints: number, changes: number): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'kpng-bench-'))
  try {
    await using host = new TestHost()
    const cgroup = join(host.cgroup, 'scale')
    mkdirSync(cgroup)
    const replace = (name: string, items: readonly unknown[]): void => {
      writeFileSync(join(directory, `.${name}`), list(items))
      renameSync(join(directory, `.${name}`), join(directory, name))
    }
    replace('node.json', [node('node-a', ['192.168.79.1'])])
    for (let first = 0; first < services; first += servicesPerFile)
      replace(
        `services-${first}.json`,
        Array.from({ length: servicesPerFile }, (_, index) =>
          serviceAndSlice(first + index, endpoints),
        ).flat(),
      )
    const agent = host.agent('-scale', cgroup)
    const socket = `/run/kpng/${agent.instance}/status.sock`
    const started = performance.now()
    const child = host.start([
      kpngPath,
      ...['file', '-i', directory, 'to-ebpf', '--node-name', 'node-a', '--instance', agent.instance],
      ...['--cgroup-root', cgroup, '--max-endpoints', `${services * endpoints}`],
      ...['--healthz-bind-address=', '--metrics-bind-address='],
    ])
    try {
      await untilAnswers(socket)
      const coldMs = performance.now() - started
      const pid = child.pid ?? 0
      const idle: number[] = []
      const changed: number[] = []
      for (let change = 1; change <= changes; change++) {
        const idleStart = performance.now()
        await postJson(socket, '/v1/sync')
        idle.push(performance.now() - idleStart)
        const index = (change * 7919) % services
        const first = index - (index % servicesPerFile)
        const items = Array.from({ length: servicesPerFile }, (_, at) =>
          serviceAndSlice(first + at, endpoints, first + at === index ? change : 0),
        ).flat()
        const start = performance.now()
        replace(`services-${first}.json`, items)
        await postJson(socket, '/v1/sync')
        changed.push(performance.now() - start)
      }
      for (const times of [idle, changed]) times.sort((a, b) => a - b)
      return {
        name: 'scale',
        parameters: { services, endpoints, changes, servicesPerFile },
        results: {
          coldMs: Math.round(coldMs),
          syncOfNothingMs: { p50: percentile(idle, 0.5), p99: percentile(idle, 0.99) },
          oneSliceChangedMs: { p50: percentile(changed, 0.5), p99: percentile(changed, 0.99) },
          residentMiB: residentMiB(pid),
          status: await postJson(socket, '/v1/sync'),
        },
        ratios: {
          'one slice changed / nothing changed, p50': ratio(percentile(changed, 0.5), percentile(idle, 0.5)),
        },
      }
    } finally {
      child.kill('SIGTERM')
      await new Promise(resolve => child.once('exit', resolve))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function untilAnswers(socket: string): Promise<void> {
  const deadline = performance.now() + 120_000
  for (;;) {
    try {
      await postJson(socket, '/v1/sync')
      return
    } catch (reason) {
      if (performance.now() > deadline) throw reason
      await sleep(5)
    }
  }
}
