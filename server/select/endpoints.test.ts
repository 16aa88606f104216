import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { anEndpoint, aSlice } from '../objects/fixtures.ts'
import type { EndpointSlice } from '../objects/types.ts'
import { portEndpoints, usableSlices } from './endpoints.ts'

const http = { name: 'http', protocol: 'TCP' } as const
const httpPort = (port: number) => [{ ...http, port }]
const collect = (slices: EndpointSlice[], key: Parameters<typeof portEndpoints>[2] = http) =>
  portEndpoints(usableSlices(slices), 'IPv4', key)
const places = (slices: EndpointSlice[], key: Parameters<typeof portEndpoints>[2] = http) =>
  collect(slices, key).map(it => `${it.endpoint.address}:${it.port}`)

describe('union of slices', () => {
  it('[KP-2.3] all slices of a service are united per port name and protocol', () => {
    const slices = [
      aSlice({ name: 'b', ports: httpPort(80), endpoints: [anEndpoint('10.0.0.2')] }),
      aSlice({ name: 'a', ports: httpPort(80), endpoints: [anEndpoint('10.0.0.1')] }),
    ]
    assert.deepEqual(places(slices), ['10.0.0.1:80', '10.0.0.2:80'])
  })

  it('[KP-2.3 KP-14.13] slices may carry different numbers for one port name: each endpoint keeps its own', () => {
    const slices = [
      aSlice({ name: 'a', ports: httpPort(8080), endpoints: [anEndpoint('10.0.0.1')] }),
      aSlice({
        name: 'b',
        ports: httpPort(9090),
        endpoints: [anEndpoint('10.0.0.2'), anEndpoint('10.0.0.1')],
      }),
    ]
    assert.deepEqual(places(slices), ['10.0.0.1:8080', '10.0.0.1:9090', '10.0.0.2:9090'])
  })

  it('[KP-2.1 KP-2.3 KP-2.4] another port name, another protocol, another family do not count; the name "" matches "" only', () => {
    const endpoints = [anEndpoint('10.0.0.1')]
    const slices = [
      aSlice({ name: 'a', ports: [{ name: 'web', protocol: 'TCP', port: 1 }], endpoints }),
      aSlice({ name: 'b', ports: [{ name: 'http', protocol: 'UDP', port: 2 }], endpoints }),
      aSlice({ name: 'c', ports: [{ name: '', protocol: 'TCP', port: 3 }], endpoints }),
      aSlice({ name: 'd', ports: httpPort(4), family: 'IPv6', endpoints: [anEndpoint('fd00::1')] }),
    ]
    assert.deepEqual(places(slices), [])
    assert.deepEqual(places(slices, { name: '', protocol: 'TCP' }), ['10.0.0.1:3'])
    assert.deepEqual(places(slices, { name: 'http', protocol: 'UDP' }), ['10.0.0.1:2'])
  })

  it('[KP-2.10] the order is that of addresses and numbers, whatever that of slices and their endpoints', () => {
    const at = (name: string, port: number, ...addresses: string[]) =>
      aSlice({ name, ports: httpPort(port), endpoints: addresses.map(it => anEndpoint(it)) })
    const expected = ['10.0.0.1:9', '10.0.0.1:80', '10.0.0.10:80', '10.0.0.2:80']
    const slices = [at('a', 80, '10.0.0.2', '10.0.0.1'), at('b', 9, '10.0.0.1'), at('c', 80, '10.0.0.10')]
    assert.deepEqual(places(slices), expected)
    assert.deepEqual(places(slices.reverse()), expected)
  })

  it('[KP-2.10] a Service may have thousands of endpoints', () => {
    const slices = Array.from({ length: 50 }, (_, i) =>
      aSlice({
        name: `s${i}`,
        ports: httpPort(80),
        endpoints: Array.from({ length: 100 }, (_, j) => anEndpoint(`10.0.${i}.${j}`)),
      }),
    )
    assert.equal(new Set(places(slices)).size, 5000)
  })

  it('[KP-1.2] headless slices are ignored', () => {
    assert.deepEqual(
      places([aSlice({ headless: true, ports: httpPort(80), endpoints: [anEndpoint('10.0.0.1')] })]),
      [],
    )
  })

  const dying = anEndpoint('10.0.0.1', { ready: false, terminating: true })
  const pending = anEndpoint('10.0.0.1', { ready: false, serving: false })
  const ready = anEndpoint('10.0.0.1')
  const cases = [
    ['a non-terminating entry beats a terminating one', dying, pending, pending],
    ['a ready entry beats an unready one', pending, ready, ready],
    ['ready beats terminating', dying, ready, ready],
    [
      'even a ready one that terminates loses to an unready one',
      { ...ready, terminating: true },
      pending,
      pending,
    ],
    ['serving beats not serving', { ...pending, serving: true }, pending, { ...pending, serving: true }],
  ] as const
  for (const [title, one, other, expected] of cases) {
    it(`[KP-2.8] duplicates: ${title}, whatever the order`, () => {
      const inSlices = (x: typeof one, y: typeof one) =>
        collect([
          aSlice({ name: 'a', ports: httpPort(80), endpoints: [x] }),
          aSlice({ name: 'b', ports: httpPort(80), endpoints: [y] }),
        ])
      assert.deepEqual(inSlices(one, other), [{ endpoint: expected, port: 80 }])
      assert.deepEqual(inSlices(other, one), [{ endpoint: expected, port: 80 }])
      const inOne = collect([aSlice({ ports: httpPort(80), endpoints: [one, other] })])
      assert.deepEqual(inOne, [{ endpoint: expected, port: 80 }])
    })
  }

  it('[KP-2.8] duplicates: of equals the one in the slice that is first by name, whatever the order of arrival', () => {
    const a = aSlice({
      name: 'a',
      ports: httpPort(80),
      endpoints: [anEndpoint('10.0.0.1', { pod: 'from-a' })],
    })
    const b = aSlice({
      name: 'b',
      ports: httpPort(80),
      endpoints: [anEndpoint('10.0.0.1', { pod: 'from-b' })],
    })
    assert.equal(collect([a, b])[0]?.endpoint.pod, 'from-a')
    assert.equal(collect([b, a])[0]?.endpoint.pod, 'from-a')
  })
})
