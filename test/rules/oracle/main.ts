/**
 * The rules said once more (../restated.ts) against kube-proxy itself, for random clusters: what its nftables rules do
 * with packets to every destination from every kind of client. hack/rules-oracle builds PROGRAM (oracle_test.go).
 *
 *   main.ts PROGRAM [CLUSTERS [SEED]]
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Family, Protocol } from '@kpng/api'
import fc from 'fast-check'
import { objects } from '../arbitraries.ts'
import { Coverage } from '../branches.ts'
import type { RawNode, RawObject } from '../raw-objects.ts'
import { admits, otherwise, restate, type Statement } from '../restated.ts'
import type { Client, Decision } from '../restated-decisions.ts'
import { parseAddress } from '../sloppy-addresses.ts'

const NODE_IPS = { IPv4: '172.16.0.1', IPv6: 'fd16::1' }
const POD_CIDRS = { IPv4: '10.1.0.0/16', IPv6: 'fd01::/48' }
const SOURCES: Readonly<Record<Client, Readonly<Record<Family, string>>>> = {
  pod: { IPv4: '10.1.0.200', IPv6: 'fd01::200' },
  node: NODE_IPS,
  elsewhere: { IPv4: '203.0.113.50', IPv6: '2001:db9::50' },
}
const CLIENTS = Object.keys(SOURCES) as Client[]
/** No Service has it. */
const OTHER_PORT = 9

interface Packet {
  readonly family: Family
  readonly source: string
  readonly protocol: Protocol
  readonly destination: string
  readonly port: number
}

/** Go's field names. */
interface Fate {
  readonly Output: string
  readonly Masquerade: boolean
}

interface Question {
  readonly packet: Packet
  /** As texts; any of them is right. */
  readonly expected: readonly string[]
}

const settings = fc.record({ masqueradeAll: fc.boolean(), families: fc.subarray<Family>(['IPv4', 'IPv6']) })
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never

function questions(statement: Statement): Question[] {
  const found: Question[] = []
  const place = (family: Family, protocol: Protocol, address: string, port: number) =>
    `${family} ${protocol} ${address} ${port}`
  // Upstream's tracer takes { a, b } for a and b, not a or b.
  const canTrace = (family: Family) =>
    statement.node.serviceCIDRs.filter(cidr => cidr.includes(':') === (family === 'IPv6')).length < 2
  const claims = new Map<string, number>()
  for (const { family, protocol, destinations } of statement.ports) {
    for (const { address, port } of destinations) {
      const at = place(family, protocol, address, port)
      claims.set(at, (claims.get(at) ?? 0) + 1)
    }
  }
  for (const { family, protocol, destinations, answers } of statement.ports) {
    const balancers = destinations.filter(it => it.kind === 'load balancer').map(it => it.address)
    for (const destination of destinations) {
      const { kind, address, port } = destination
      const to = address === '' ? NODE_IPS[family] : address
      // Which of two counts is not said.
      if (claims.get(place(family, protocol, address, port)) === 1) {
        const ask = (client: Client, source: string) => {
          const packet = { family, source, protocol, destination: to, port }
          if (!admits(destination, source, balancers, NODE_IPS[family])) {
            found.push({ packet, expected: ['DROP'] })
            return
          }
          const decisions = answers.map(it =>
            kind === 'ClusterIP' ? it.inside[client] : it.outside?.[client],
          )
          found.push({ packet, expected: decisions.map(decisionText) })
        }
        for (const client of CLIENTS) ask(client, SOURCES[client][family])
        if (kind === 'load balancer') for (const balancer of balancers) ask('elsewhere', balancer)
      }
      if (address === '' || !canTrace(family)) continue
      const source = SOURCES.elsewhere[family]
      const expected = [{ refuse: 'REJECT', drop: 'DROP', untouched: '' }[otherwise(statement, to)]]
      found.push({ packet: { family, source, protocol, destination: to, port: OTHER_PORT }, expected })
      for (const other of ['TCP', 'UDP', 'SCTP'] as const) {
        if (claims.has(place(family, other, address, port))) continue
        found.push({ packet: { family, source, protocol: other, destination: to, port }, expected })
      }
    }
  }
  for (const [family, destination] of [
    ['IPv4', '10.96.77.77'],
    ['IPv6', 'fd96::7777'],
  ] as const) {
    if (!canTrace(family)) continue
    const packet = { family, source: SOURCES.pod[family], protocol: 'TCP', destination, port: 80 } as const
    found.push({ packet, expected: [otherwise(statement, destination) === 'drop' ? 'DROP' : ''] })
  }
  return found
}

function decisionText(decision: Decision | undefined): string {
  if (decision === undefined) throw new Error('a way in without a decision')
  if (decision.verdict !== 'serve') return decision.verdict === 'refuse' ? 'REJECT' : 'DROP'
  return `${[...decision.endpoints].sort().join(', ')}${decision.masquerade ? ' masqueraded' : ''}`
}

function fateText({ Output, Masquerade }: Fate): string {
  if (Output === 'REJECT' || Output === 'DROP' || Output === '') return Output
  return `${Output.split(', ').sort().join(', ')}${Masquerade ? ' masqueraded' : ''}`
}

/** A line for the program. */
function cluster(
  raw: readonly RawObject[],
  settings: Settings,
  statement: Statement,
  asked: readonly Question[],
) {
  const node = raw.find((it): it is RawNode => it.kind === 'Node' && it.metadata.name === 'node-a')
  const cidrs = (family: Family) =>
    statement.node.serviceCIDRs.filter(cidr => cidr.includes(':') === (family === 'IPv6')).join(',')
  return JSON.stringify({
    Services: raw.filter(it => it.kind === 'Service'),
    EndpointSlices: raw.filter(it => it.kind === 'EndpointSlice'),
    NodeName: 'node-a',
    NodeLabels: node?.metadata.labels ?? {},
    NodeIPs: NODE_IPS,
    PodCIDRs: Object.fromEntries(settings.families.map(family => [family, POD_CIDRS[family]])),
    ServiceCIDRs: { IPv4: cidrs('IPv4'), IPv6: cidrs('IPv6') },
    MasqueradeAll: settings.masqueradeAll,
    Packets: asked.map(it => it.packet),
  })
}

/** Upstream's tracer breaks off where kube-proxy has made `<nil>` out of an endpoint's address. */
const isTraceable = (raw: readonly RawObject[]): boolean =>
  raw
    .filter(it => it.kind === 'EndpointSlice' && it.addressType !== 'FQDN')
    .flatMap(it => ('endpoints' in it ? (it.endpoints ?? []) : []))
    .every(({ addresses }) => addresses?.[0] === undefined || parseAddress(addresses[0]) !== undefined)

function main([program, clusters = '300', seedText]: string[]): number {
  if (program === undefined) throw new Error('PROGRAM is missing: run hack/rules-oracle')
  const seed = Number(seedText ?? Date.now() % 1e9)
  const seen = new Coverage()
  const samples = fc
    .sample(fc.tuple(objects.filter(isTraceable), settings), { numRuns: Number(clusters), seed })
    .map(([raw, settings]) => {
      const policies = {
        masqueradeAll: settings.masqueradeAll,
        detector: { mode: 'ClusterCIDR', clusterCIDRs: settings.families.map(family => POD_CIDRS[family]) },
        externalIPs: true,
        bindAddress: undefined,
      } as const
      const statement = restate(raw, 'node-a', policies, new Set(), seen.hit)
      const asked = questions(statement)
      return { raw, asked, line: cluster(raw, settings, statement, asked) }
    })

  const directory = mkdtempSync(join(tmpdir(), 'kpng-oracle-'))
  let answers: Fate[][]
  try {
    const env = { KPNG_ORACLE_IN: join(directory, 'in'), KPNG_ORACLE_OUT: join(directory, 'out') }
    writeFileSync(env.KPNG_ORACLE_IN, samples.map(it => `${it.line}\n`).join(''))
    const { status, stdout } = spawnSync(program, ['-test.run=^TestOracle$'], { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${program} failed:\n${stdout.slice(0, 2000)}`)
    answers = readFileSync(env.KPNG_ORACLE_OUT, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Fate[])
  } finally {
    rmSync(directory, { recursive: true })
  }

  let packets = 0
  let different = 0
  for (const [i, { raw, asked }] of samples.entries()) {
    for (const [j, { packet, expected }] of asked.entries()) {
      packets++
      const fate = answers[i]?.[j]
      const text = fate === undefined ? 'no answer' : fateText(fate)
      if (expected.includes(text)) continue
      different++
      if (different <= 5) {
        process.stdout.write(
          `cluster ${i}: ${JSON.stringify(packet)}\n  restated: ${expected.join(' or ')}\n`,
        )
        process.stdout.write(`  kube-proxy: ${text}\n  ${JSON.stringify(raw)}\n`)
      }
    }
  }
  process.stdout.write(
    `${samples.length} clusters, ${packets} packets, ${different} different (seed ${seed})\n`,
  )
  return different === 0 ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
