import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Family } from '@kpng/api'
import { checkFamilies } from './check-families.ts'

const settings = {
  clusterCIDRs: [] as string[],
  nodePortAddresses: 'primary' as 'primary' | string[],
  healthzBindAddress: { address: '0.0.0.0', port: 1 },
  metricsBindAddress: { address: '127.0.0.1', port: 2 },
}

const both: Family[] = ['IPv4', 'IPv6']
const one: Family[] = ['IPv4']

for (const [what, given, primary, families, fatal] of [
  ['a family that the kernel lacks', {}, 'IPv6', one, /no support for primary IP family IPv6/],
  [
    'clusterCIDR of the other family alone where there is only one',
    { clusterCIDRs: ['fd00::/8'] },
    'IPv4',
    one,
    /cluster is IPv4-only but clusterCIDR contains only IPv6/,
  ],
] as const) {
  test(`[KP-10.3.1] fatal at start: ${what}`, () => {
    assert.match(checkFamilies({ ...settings, ...given }, primary, families).fatal ?? '', fatal)
  })
}

for (const [what, given, primary, families, remark] of [
  [
    'clusterCIDR of the other family alone where there are both',
    { clusterCIDRs: ['fd00::/8'] },
    'IPv4',
    both,
    /cluster is IPv4-primary but clusterCIDR contains only IPv6/,
  ],
  [
    'a server on an address of the family that is not there',
    { metricsBindAddress: { address: 'fd00::1', port: 1 } },
    'IPv4',
    one,
    /metricsBindAddress is IPv6/,
  ],
  [
    'nodePortAddresses without the primary family',
    { nodePortAddresses: ['fd00::/8'] },
    'IPv4',
    both,
    /IPv4-primary but nodePortAddresses contains only IPv6.*on all local IPv4 IPs/,
  ],
  [
    'nodePortAddresses of one family in a cluster of two',
    { nodePortAddresses: ['10.0.0.0/8'], clusterCIDRs: ['10.0.0.0/8', 'fd00::/8'] },
    'IPv4',
    both,
    /dual-stack but nodePortAddresses contains only IPv4.*on all local IPv6 IPs/,
  ],
] as const) {
  test(`[KP-10.3.1] only logged: ${what}`, () => {
    const { fatal, remarks } = checkFamilies(
      { ...settings, ...given } as Parameters<typeof checkFamilies>[0],
      primary,
      families,
    )
    assert.equal(fatal, undefined)
    assert.equal(remarks.length, 1)
    assert.match(remarks[0] ?? '', remark)
  })
}

for (const [what, given, families] of [
  ['the defaults', {}, both],
  ['the defaults on one family', {}, one],
  ['a pair of clusterCIDRs on one family', { clusterCIDRs: ['10.0.0.0/8', 'fd00::/8'] }, one],
  ['all addresses of the other family', { healthzBindAddress: { address: '::', port: 1 } }, one],
  [
    'nodePortAddresses of the primary family in a cluster of one',
    { nodePortAddresses: ['10.0.0.0/8'] },
    both,
  ],
  ['nodePortAddresses of both', { nodePortAddresses: ['10.0.0.0/8', 'fd00::/8'] }, both],
] as const) {
  test(`nothing is said of ${what}`, () => {
    const check = checkFamilies(
      { ...settings, ...given } as Parameters<typeof checkFamilies>[0],
      'IPv4',
      families,
    )
    assert.deepEqual(check, { fatal: undefined, remarks: [] })
  })
}
