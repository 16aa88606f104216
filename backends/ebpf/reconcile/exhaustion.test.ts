import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FakeSizes } from './testing/fake-maps.ts'
import { Harness } from './testing/harness.ts'
import { lookup } from './testing/lookup.ts'
import { node, type ServiceSpec } from './testing/views.ts'

const v4 = (n: number): ServiceSpec => ({
  name: `s${n}`,
  clusterIPs: [`10.96.0.${n}`],
  ports: [{ name: 'http', port: 80, endpoints: [`10.1.0.${n}:80`] }],
})
const v6 = (n: number): ServiceSpec => ({
  name: `s${n}`,
  clusterIPs: [`fd00::${n}`],
  ports: [{ name: 'http', port: 80, endpoints: [`[fd01::${n}]:80`] }],
})
const ranged4 = (n: number): ServiceSpec => ({
  ...v4(n),
  loadBalancerIPs: [`10.96.0.${n}`],
  sourceRanges: ['10.1.0.0/16'],
})
const ranged6 = (n: number): ServiceSpec => ({
  ...v6(n),
  loadBalancerIPs: [`fd00::${n}`],
  sourceRanges: ['fd01::/16'],
})

/** What a client meets at a Service; it is in the source ranges. */
function verdict(agent: Harness, n: number, family: 'IPv4' | 'IPv6'): string {
  const [address, source] = family === 'IPv4' ? [`10.96.0.${n}`, '10.1.0.1'] : [`fd00::${n}`, 'fd01::1']
  return lookup(agent.maps, { family, address, port: 80, protocol: 'TCP' }, source).verdict
}

interface Bound {
  readonly spec: (n: number) => ServiceSpec
  readonly sizes?: Partial<FakeSizes>
  readonly limits?: { readonly maxBackendId: number; readonly maxServicePortId: number }
  /** What connects to the Service that does not fit; docs/bounds.md says so. */
  readonly meets: string
  readonly problem: RegExp
}

const PLENTY = { maxBackendId: 100, maxServicePortId: 50 }

/** Each with room for two Services, of three. */
const bounds: Readonly<Record<string, Bound>> = {
  svc4: {
    spec: v4,
    sizes: { frontends: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: frontend 10\.96\.0\.3:80\/TCP does not fit: map svc4 is full/,
  },
  svc6: {
    spec: v6,
    sizes: { frontends: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: frontend \[fd00::3\]:80\/TCP does not fit: map svc6 is full/,
  },
  addr4: {
    spec: v4,
    sizes: { addresses: 2 },
    meets: 'backends',
    problem: /^default\/s3: 10\.96\.0\.3 does not fit: it is served in a ServiceCIDR only/,
  },
  addr6: {
    spec: v6,
    sizes: { addresses: 2 },
    meets: 'backends',
    problem: /^default\/s3: fd00::3 does not fit: it is served in a ServiceCIDR only/,
  },
  service: {
    spec: v4,
    sizes: { names: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: the name of default\/s3:http\/TCP does not fit: map service is full/,
  },
  'service port ids': {
    spec: v4,
    limits: { ...PLENTY, maxServicePortId: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: default\/s3:http\/TCP: all 2 service port ids are taken/,
  },
  list: {
    spec: v4,
    sizes: { lists: 3 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: default\/s3:http\/TCP: no list index is free/,
  },
  backend4: {
    spec: v4,
    sizes: { slots: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: default\/s3:http\/TCP: 0 of 1 IPv4 endpoints fit, backend4 is full/,
  },
  backend6: {
    spec: v6,
    sizes: { slots: 2 },
    meets: 'UNKNOWN_PORT',
    problem: /^default\/s3: default\/s3:http\/TCP: 0 of 1 IPv6 endpoints fit, backend6 is full/,
  },
  'backend ids': {
    spec: v4,
    limits: { ...PLENTY, maxBackendId: 2 },
    meets: 'NO_ENDPOINTS',
    problem: /^default\/s3: default\/s3:http\/TCP: 1 of 1 endpoints have no id, all 2 are taken/,
  },
  source4: {
    spec: ranged4,
    sizes: { sources: 2 },
    meets: 'SOURCE_BLOCKED',
    problem:
      /^default\/s3: source range 10\.1\.0\.0\/16 of default\/s3:http\/TCP does not fit: map source4 is full/,
  },
  source6: {
    spec: ranged6,
    sizes: { sources: 2 },
    meets: 'SOURCE_BLOCKED',
    problem:
      /^default\/s3: source range fd01::\/16 of default\/s3:http\/TCP does not fit: map source6 is full/,
  },
}

describe('[KPNG-C16 DP-9.22] at a bound the Service that does not fit is reported, the others are served, and it heals', () => {
  for (const [what, { spec, meets, problem, ...options }] of Object.entries(bounds)) {
    it(what, async () => {
      const family = spec === v6 || spec === ranged6 ? 'IPv6' : 'IPv4'
      using agent = new Harness(options)
      agent.reconciler.setNode(node([], ['10.96.0.0/16', 'fd00::/112']))
      await agent.apply(spec(1), spec(2), spec(3))
      const expectUnfit = (): void => {
        const { problems, counts } = agent.reconciler.status()
        assert.deepEqual(
          problems.map(({ where, reason }) => `${where} ${reason}`),
          ['default/s3 CapacityExceeded'],
        )
        assert.match(agent.problems().join(), problem)
        assert.equal(counts.unfit, what.startsWith('addr') ? 0 : 1)
        assert.equal(counts.failing, 0)
        assert.deepEqual(
          [1, 2, 3].map(n => verdict(agent, n, family)),
          ['backends', 'backends', meets],
        )
      }
      expectUnfit()

      // It is tried again, but not all the time, and nothing else is touched by that.
      agent.forget()
      await agent.clock.pass(60_000)
      expectUnfit()
      assert.ok(agent.operations.length <= 12, `${agent.operations}`)

      // What is there can be changed: that needs no room where it says "list" or "frontend".
      await agent.apply({ ...spec(1), affinity: 5 })
      expectUnfit()

      await agent.remove('s1')
      await agent.clock.pass(1_500)
      assert.deepEqual(agent.problems(), [])
      assert.equal(agent.reconciler.status().counts.unfit, 0)
      assert.deepEqual(
        [2, 3].map(n => verdict(agent, n, family)),
        ['backends', 'backends'],
      )
    })
  }
})
