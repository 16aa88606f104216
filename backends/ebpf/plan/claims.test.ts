import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { service } from '../reconcile/testing/views.ts'
import { Claims } from './claims.ts'
import { type Frontend, planService } from './service-plan.ts'

const claim = (name: string, clusterIP: string, externalIPs: string[] = []): readonly Frontend[] =>
  planService(service({ name, clusterIPs: [clusterIP], externalIPs, ports: [{ port: 80 }] }), {
    nodePortFamilies: new Set(),
    primaryAddresses: {},
  }).frontends

const KEY = '10.96.0.1:80/TCP'

describe('Claims', () => {
  it('[KP-1.16] gives a frontend to the same Service whoever comes first', () => {
    for (const order of [
      ['a/x', 'b/x'],
      ['b/x', 'a/x'],
    ]) {
      const claims = new Claims()
      for (const name of order) claims.set(name, claim(name, '10.96.0.1'))
      assert.equal(claims.winner(KEY)?.service, 'a/x')
      const [problem, ...others] = claims.problems()
      assert.deepEqual([problem?.where, others], ['b/x', []])
      assert.match(problem?.message ?? '', /10\.96\.0\.1:80\/TCP is served for a\/x:\/TCP/)
    }
  })

  it('prefers a ClusterIP to an external IP of an earlier name', () => {
    const claims = new Claims()
    claims.set('a/thief', claim('a/thief', '10.96.0.9', ['10.96.0.1']))
    assert.deepEqual(claims.set('b/owner', claim('b/owner', '10.96.0.1')), new Set(['a/thief']))
    assert.equal(claims.winner(KEY)?.service, 'b/owner')
    assert.deepEqual(
      claims.problems().map(({ where, field }) => [where, field]),
      [['a/thief', 'spec.externalIPs']],
    )
  })

  it('[KP-1.16] serves the other when the winner goes, and tells who is touched', () => {
    const claims = new Claims()
    claims.set('a/x', claim('a/x', '10.96.0.1'))
    assert.deepEqual(claims.set('b/x', claim('b/x', '10.96.0.1')), new Set())
    assert.deepEqual(claims.set('a/x', []), new Set(['b/x']))
    assert.deepEqual(
      claims.won('b/x').map(frontend => frontend.key),
      [KEY],
    )
    assert.deepEqual(claims.problems(), [])
    claims.set('b/x', [])
    assert.equal(claims.size, 0)
  })

  it('[KP-1.16] has one winner for each claim, the same in any order, and forgets those who go', () => {
    const names = ['a/1', 'a/2', 'b/1', 'b/2']
    const addresses = ['10.96.0.1', '10.96.0.2']
    const step = fc.tuple(
      fc.constantFrom(...names),
      fc.constantFrom(...addresses),
      fc.subarray(addresses),
      fc.boolean(),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), steps => {
        const claims = new Claims()
        const wanted = new Map<string, readonly Frontend[]>()
        for (const [name, clusterIP, externalIPs, gone] of steps) {
          const frontends = gone ? [] : claim(name, clusterIP, externalIPs)
          const before = new Map(
            addresses.map(address => [address, claims.winner(`${address}:80/TCP`)?.service]),
          )
          const touched = claims.set(name, frontends)
          wanted.set(name, frontends)
          for (const address of addresses) {
            const [was, is] = [before.get(address), claims.winner(`${address}:80/TCP`)?.service]
            if (was === is) continue
            for (const one of [was, is]) assert(one === undefined || one === name || touched.has(one))
          }
          const lost = names.flatMap(loser =>
            claims.claims(loser).flatMap(it => (claims.winner(it.key) === it ? [] : [loser])),
          )
          assert.deepEqual(
            claims
              .problems()
              .map(({ where }) => where)
              .toSorted(),
            lost.toSorted(),
          )
        }
        const fresh = new Claims()
        for (const [name, frontends] of [...wanted].reverse()) fresh.set(name, frontends)
        for (const address of addresses)
          assert.equal(
            claims.winner(`${address}:80/TCP`)?.servicePort,
            fresh.winner(`${address}:80/TCP`)?.servicePort,
          )
        assert.equal(claims.size, new Set([...wanted.values()].flat().map(frontend => frontend.key)).size)
      }),
    )
  })
})
