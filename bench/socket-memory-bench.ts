import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from '../test/e2e/agent.ts'
import { endpointSlice, node, service, serviceCIDR } from '../test/e2e/manifests.ts'
import { Compiled } from './compile.ts'
import type { Report } from './report.ts'

const backend = '10.180.0.1'
const vip = '10.96.0.1'
const repetitions = 5
const settleMs = 300

const cluster = [
  node('node-a', ['192.168.79.1']),
  serviceCIDR('10.96.0.0/16'),
  ...(['TCP', 'UDP'] as const).flatMap(protocol => {
    const name = `sockets-${protocol.toLowerCase()}`
    return [
      service({ name, clusterIPs: [vip], ports: [{ port: 80, protocol }] }),
      endpointSlice({ service: name, ports: [{ port: 8080, protocol }], endpoints: [backend] }),
    ]
  }),
]

/** Of each cache of the slab allocator that kmalloc takes from: objects in use, and their size in bytes. */
function kmallocCaches(): Map<string, { objects: number; size: number }> {
  const caches = new Map<string, { objects: number; size: number }>()
  for (const line of readFileSync('/proc/slabinfo', 'utf8').split('\n')) {
    const [name = '', objects, , size] = line.split(/\s+/)
    if (name.startsWith('kmalloc-')) caches.set(name, { objects: Number(objects), size: Number(size) })
  }
  return caches
}

/** The same once no cache shrinks any more: records are freed some time after their sockets. */
async function settledCaches(sockets: number): Promise<ReturnType<typeof kmallocCaches>> {
  for (let last = kmallocCaches(); ; ) {
    await sleep(settleMs)
    const now = kmallocCaches()
    const shrinks = [...now].some(
      ([name, { objects }]) => (last.get(name)?.objects ?? 0) - objects > sockets / 20,
    )
    if (!shrinks) return now
    last = now
  }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/**
 * Memory of the kernel for each socket that has a record: kmalloc'ed objects while so many sockets that connected
 * to a Service are open, less those of sockets that connected to its backend; the median of several times. A cache
 * counts where it has gained an object for at least every second socket: others work on this machine, too.
 */
export async function socketMemoryBench(sockets: number): Promise<Report> {
  using compiled = new Compiled()
  await using host = new TestHost()
  host.addAddresses([`${backend}/32`])
  // A port for each TCP or UDP socket.
  const cgroup = join(host.cgroup, 'ours')
  mkdirSync(cgroup)
  const agent = host.agent('', cgroup)
  agent.write(cluster)
  await agent.start()
  await agent.stop()
  const program = compiled.program('hold-sockets')
  /** What sockets to this address add to each cache. */
  const gained = async (protocol: 'tcp' | 'udp', to: string): Promise<Map<string, number>> => {
    const before = await settledCaches(sockets)
    const child = host.startWithInput([program, protocol, `${sockets}`, `it=${cgroup}@${to}`])
    const gone = once(child, 'exit')
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    await Promise.race([once(child.stdout, 'data'), gone])
    if (child.exitCode !== null) throw new Error(`hold-sockets: ${said}`)
    const during = kmallocCaches()
    child.stdin.end()
    await gone
    return new Map(
      [...during].map(([name, { objects }]) => [name, objects - (before.get(name)?.objects ?? 0)]),
    )
  }
  const measure = async (protocol: 'tcp' | 'udp') => {
    const differences = new Map<string, number[]>()
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const direct = await gained(protocol, `${backend}:8080`)
      const served = await gained(protocol, `${vip}:80`)
      for (const [name, objects] of served) {
        const list = differences.get(name) ?? []
        list.push((objects - (direct.get(name) ?? 0)) / sockets)
        differences.set(name, list)
      }
    }
    const sizes = kmallocCaches()
    const caches = [...differences]
      .map(([name, each]) => ({ name, objects: Math.round(median(each) * 100) / 100 }))
      .filter(({ objects }) => Math.abs(objects) >= 0.5)
    const bytes = caches.reduce((sum, { name, objects }) => sum + objects * (sizes.get(name)?.size ?? 0), 0)
    return {
      bytesPerSocket: Math.round(bytes),
      objectsPerSocket: Object.fromEntries(caches.map(it => [it.name, it.objects])),
    }
  }
  const results = { tcp: await measure('tcp'), udp: await measure('udp') }
  return { name: 'socket-memory', parameters: { sockets, repetitions }, results, ratios: {} }
}
