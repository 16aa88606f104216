import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingRanges, planServiceRanges, preferredFamilies } from './service-ranges.ts'

type Services = Parameters<typeof planServiceRanges>[0]

const service = (
  name: string,
  clusterIPs: Services[number]['clusterIPs'],
  more: { nodePort?: number; healthCheckNodePort?: number } = {},
): Services[number] => ({
  namespace: 'default',
  name,
  clusterIPs,
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: more.nodePort ?? 0 }],
  healthCheckNodePort: more.healthCheckNodePort ?? 0,
})

const cidrs = ['10.96.0.0/16', 'fd00:10:96::/112']
const customary = { cidrs, nodePorts: '30000-32767' }

test('the customary ranges serve Services that ask for nothing, or for what is in them', () => {
  const services = [service('a', {}), service('b', { IPv4: '10.96.3.4', IPv6: 'fd00:10:96::77' })]
  assert.deepEqual(planServiceRanges(services, [], 4), customary)
  assert.deepEqual(missingRanges(services, cidrs), [])
})

test('the ServiceCIDR kubernetes is the API server’s own, with the family of its address first', () => {
  const own = [{ name: 'kubernetes', cidrs: ['fd12::/112'] }]
  assert.deepEqual(planServiceRanges([], own, 6).cidrs, ['fd12::/112', '10.96.0.0/16'])
  assert.deepEqual(planServiceRanges([], own, 4).cidrs, ['10.96.0.0/16', 'fd12::/112'])
  assert.deepEqual(
    [preferredFamilies(own), preferredFamilies([])],
    [
      [6, 4],
      [4, 6],
    ],
  )
  const both = [{ name: 'kubernetes', cidrs: ['10.43.0.0/16', 'fd43::/112'] }]
  assert.deepEqual(planServiceRanges([service('a', { IPv4: '10.43.0.1' })], both, 4).cidrs, both[0]?.cidrs)
})

test('the API server does not take the address of a Service for itself', () => {
  const wants = [service('a', { IPv4: '10.96.0.1' })]
  assert.deepEqual(planServiceRanges(wants, [], 4), {
    ...customary,
    cidrs: ['10.97.0.0/16', 'fd00:10:96::/112'],
  })
  assert.deepEqual(planServiceRanges([service('kubernetes', { IPv4: '10.96.0.1' })], [], 4), customary)
})

test('addresses elsewhere get ranges around them, one for neighbours, never as first or last', () => {
  const at = (...addresses: readonly string[]): readonly string[] =>
    missingRanges(
      addresses.map((address, index) =>
        service(`s${index}`, address.includes(':') ? { IPv6: address } : { IPv4: address }),
      ),
      [...cidrs, '10.200.0.0/24'],
    )
  assert.deepEqual(at('10.200.0.9'), [])
  assert.deepEqual(at('10.1.2.3', '10.1.2.4', '10.1.3.4'), ['10.1.2.0/24', '10.1.3.0/24'])
  assert.deepEqual(at('10.1.2.0', '10.3.2.255'), ['10.1.0.0/16', '10.3.0.0/16'])
  assert.deepEqual(at('10.1.0.0'), ['10.0.0.0/8'])
  assert.deepEqual(at('fd01::1:2', 'fd01::1:3'), ['fd01::1:0/120'])
  assert.deepEqual(at('fd01::1:100'), ['fd01::1:0/112'])
  assert.deepEqual(at('fd01::'), ['fd01::/108'])
})

test('the range of NodePorts is wide enough for all that are asked for', () => {
  const services = [
    service('a', {}, { nodePort: 8080 }),
    service('b', {}, { nodePort: 31000, healthCheckNodePort: 40_000 }),
  ]
  assert.equal(planServiceRanges(services, [], 4).nodePorts, '8080-40000')
})
