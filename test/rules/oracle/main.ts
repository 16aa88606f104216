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
import type { Family } from '@kpng/api'
import fc from 'fast-check'
import { objects } from '../arbitraries.ts'
import { Coverage } from '../branches.ts'
import { type Fate, POD_CIDRS, type Question, questions } from '../packets.ts'
import type { RawNode, RawObject } from '../raw-objects.ts'
import { restate, type Statement } from '../restated.ts'
import { parseAddress } from '../sloppy-addresses.ts'

const NODE_IPS = { IPv4: '172.16.0.1', IPv6: 'fd16::1' }

/** Go's field names. */
interface Answer {
  readonly Output: string
  readonly Masquerade: boolean
}

const settings = fc.record({ masqueradeAll: fc.boolean(), families: fc.subarray<Family>(['IPv4', 'IPv6']) })
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never

/** Upstream's tracer takes { a, b } for a and b, not a or b. */
function isTraceable(statement: Statement, { kind, packet: { family } }: Question): boolean {
  const cidrs = statement.node.serviceCIDRs.filter(cidr => cidr.includes(':') === (family === 'IPv6'))
  return kind !== 'other' || cidrs.length < 2
}

function fateText(fate: Fate): string {
  if (fate.verdict !== 'serve') return { refuse: 'REJECT', drop: 'DROP', untouched: '' }[fate.verdict]
  return `${[...fate.endpoints].sort().join(', ')}${fate.masquerade ? ' masqueraded' : ''}`
}

function answerText({ Output, Masquerade }: Answer): string {
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
const isReadable = (raw: readonly RawObject[]): boolean =>
  raw
    .filter(it => it.kind === 'EndpointSlice' && it.addressType !== 'FQDN')
    .flatMap(it => ('endpoints' in it ? (it.endpoints ?? []) : []))
    .every(({ addresses }) => addresses?.[0] === undefined || parseAddress(addresses[0]) !== undefined)

function main([program, clusters = '300', seedText]: string[]): number {
  if (program === undefined) throw new Error('PROGRAM is missing: run hack/rules-oracle')
  const seed = Number(seedText ?? Date.now() % 1e9)
  const seen = new Coverage()
  const samples = fc
    .sample(fc.tuple(objects.filter(isReadable), settings), { numRuns: Number(clusters), seed })
    .map(([raw, settings]) => {
      const policies = {
        masqueradeAll: settings.masqueradeAll,
        detector: { mode: 'ClusterCIDR', clusterCIDRs: settings.families.map(family => POD_CIDRS[family]) },
        externalIPs: true,
        bindAddress: undefined,
      } as const
      const statement = restate(raw, 'node-a', policies, new Set(), seen.hit)
      const asked = questions(statement, NODE_IPS).filter(question => isTraceable(statement, question))
      return { raw, asked, line: cluster(raw, settings, statement, asked) }
    })

  const directory = mkdtempSync(join(tmpdir(), 'kpng-oracle-'))
  let answers: Answer[][]
  try {
    const env = { KPNG_ORACLE_IN: join(directory, 'in'), KPNG_ORACLE_OUT: join(directory, 'out') }
    writeFileSync(env.KPNG_ORACLE_IN, samples.map(it => `${it.line}\n`).join(''))
    const { status, stdout } = spawnSync(program, ['-test.run=^TestOracle$'], { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${program} failed:\n${stdout.slice(0, 2000)}`)
    answers = readFileSync(env.KPNG_ORACLE_OUT, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Answer[])
  } finally {
    rmSync(directory, { recursive: true })
  }

  let packets = 0
  let different = 0
  for (const [i, { raw, asked }] of samples.entries()) {
    for (const [j, question] of asked.entries()) {
      packets++
      const { packet } = question
      const expected = question.expected.map(fateText)
      const answer = answers[i]?.[j]
      const text = answer === undefined ? 'no answer' : answerText(answer)
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
