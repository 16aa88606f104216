/**
 * From objects as JSON text to the datapath's maps: for each packet that a socket on the node could send, what the
 * programs find in the maps is what the rules said once more (restated.ts) come to. As rules.test.ts otherwise.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { Harness } from '../../backends/ebpf/reconcile/testing/harness.ts'
import { type Answer, lookup } from '../../backends/ebpf/reconcile/testing/lookup.ts'
import { objects } from './arbitraries.ts'
import { Coverage } from './branches.ts'
import { type Fate, POD_CIDRS, type Question, questions } from './packets.ts'
import { Pipeline, Reader } from './pipeline.ts'
import type { RawObject } from './raw-objects.ts'
import { restate } from './restated.ts'
import type { Departure } from './restated-endpoints.ts'

const { KPNG_RULES_RUNS, KPNG_RULES_SEED, KPNG_RULES_PATH } = process.env
const numRuns = Math.ceil(Number(KPNG_RULES_RUNS ?? 1000) / 4)
const seed = Number(KPNG_RULES_SEED ?? Date.now() % 1e9)

const DEPARTURES: ReadonlySet<Departure> = new Set<Departure>(['bad endpoint addresses are skipped'])

/** A socket tells pods from others by its network namespace: as with a detector. */
const POLICIES = {
  masqueradeAll: false,
  detector: { mode: 'ClusterCIDR', clusterCIDRs: Object.values(POD_CIDRS) },
  externalIPs: true,
  bindAddress: undefined,
} as const

const reader = new Reader()
after(() => reader[Symbol.dispose]())

/** What deviates (docs/parity.md), or is no question to a socket of the node. */
function isForSockets(
  { packet, client, kind, blocked }: Question,
  isOuter: (address: string) => boolean,
): boolean {
  if (client === 'elsewhere' && !blocked) return false
  // SCTP is not served.
  if (packet.protocol === 'SCTP') return false
  // An external address inside of a ServiceCIDR is left alone at other ports.
  return kind !== 'other' || !isOuter(packet.destination)
}

/** Sources are never changed. */
function fateText(fate: Fate): string {
  return fate.verdict === 'serve' ? [...fate.endpoints].sort().join(' ') : fate.verdict
}

function answerText(answer: Answer): string {
  switch (answer.verdict) {
    case 'backends':
      return answer.slots
        .map(({ address, port }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
        .sort()
        .join(' ')
    case 'NO_ENDPOINTS':
    case 'UNKNOWN_PORT':
      return 'refuse'
    case 'NO_LOCAL_ENDPOINTS':
    case 'UNALLOCATED':
    case 'SOURCE_BLOCKED':
      return 'drop'
    case 'NOT_A_SERVICE':
      return 'untouched'
    default:
      return answer.verdict
  }
}

/** What must have been met. */
const WAYS = [
  'ClusterIP NO_ENDPOINTS',
  'ClusterIP NO_LOCAL_ENDPOINTS',
  'ClusterIP backends',
  'external NO_ENDPOINTS',
  'external backends',
  'load balancer NO_ENDPOINTS',
  'load balancer SOURCE_BLOCKED',
  'load balancer backends',
  'node port NO_ENDPOINTS',
  'node port backends',
  'other NOT_A_SERVICE',
  'other UNALLOCATED',
  'other UNKNOWN_PORT',
]

describe(`from JSON to maps (seed ${seed})`, () => {
  it('[KP-4.1 KP-4.2 KP-4.3 KP-4.4 KP-4.6 KP-4.7 KP-4.10 KP-4.11 KP-4.12 KP-4.13 KP-4.14 KP-4.15] any cluster, and another after it: every packet of a socket on the node', async t => {
    const seen = new Map<string, number>()
    const room = { frontends: 500, lists: 500, slots: 1000, addresses: 200, names: 200, sources: 200 }
    await fc.assert(
      fc.asyncProperty(objects, objects, async (...clusters) => {
        using agent = new Harness({ sizes: room, limits: { maxBackendId: 1000, maxServicePortId: 500 } })
        using pipeline = new Pipeline(agent.reconciler, 'node-a', POLICIES)
        const { store, view } = pipeline
        store.complete('test')
        let before: readonly RawObject[] = []
        for (const raw of clusters) {
          for (const { kind, metadata } of before) store.delete('test', { kind, ...metadata })
          before = raw
          for (const object of await reader.read(raw)) store.set('test', object)
          view.flush()
          await agent.clock.until(agent.reconciler.settled())
          const statement = restate(raw, 'node-a', POLICIES, DEPARTURES, new Coverage().hit)
          const outer = new Set(statement.ports.flatMap(it => it.destinations.slice(1).map(to => to.address)))
          for (const question of questions(statement, statement.node.primary)) {
            if (!isForSockets(question, address => outer.has(address))) continue
            const { family, protocol, destination, port, source } = question.packet
            const place = { family, address: destination, port, protocol: protocol as 'TCP' | 'UDP' }
            const found = lookup(agent.maps, place, source)
            const expected = question.expected.map(fateText)
            assert.ok(expected.includes(answerText(found)), JSON.stringify({ ...question, found }))
            const way = `${question.kind} ${found.verdict}`
            seen.set(way, (seen.get(way) ?? 0) + 1)
          }
        }
      }),
      { numRuns, seed, ...(KPNG_RULES_PATH !== undefined && { path: KPNG_RULES_PATH }) },
    )
    if (numRuns >= 100) assert.deepEqual([...seen.keys()].sort(), WAYS)
    t.diagnostic(
      [...seen]
        .map(([way, count]) => `${way} ${count}`)
        .sort()
        .join(', '),
    )
  })
})
