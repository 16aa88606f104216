import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { anEndpoint } from '../objects/fixtures.ts'
import type { Endpoint } from '../objects/types.ts'
import { categorize, type ListUse } from './categorize.ts'

const node = { name: 'n1', zone: 'a' }
const CLUSTER: ListUse = { cluster: true, local: false }
const LOCAL: ListUse = { cluster: false, local: true }
const BOTH: ListUse = { cluster: true, local: true }

/** Endpoints in one word each: r ready, u unready, p serving but not ready, t serving and terminating, d terminating. */
const STATES: Record<string, Partial<Endpoint>> = {
  r: {},
  u: { ready: false, serving: false },
  p: { ready: false },
  t: { ready: false, terminating: true },
  d: { ready: false, serving: false, terminating: true },
}

/** 'r' on another node, 'r@' here, 'r/b' with a hint for zone b, 'r=n2' with one for node n2. */
function endpoint(word: string, i: number): Endpoint {
  const zoneHint = /\/(\w+)/.exec(word)?.[1]
  const nodeHint = /=(\w+)/.exec(word)?.[1]
  return anEndpoint(`10.0.0.${i + 1}`, {
    ...STATES[word.charAt(0)],
    nodeName: word.includes('@') ? 'n1' : 'n2',
    ...(zoneHint !== undefined && { zoneHints: [zoneHint] }),
    ...(nodeHint !== undefined && { nodeHints: [nodeHint] }),
  })
}

const run = (words: string[], use: ListUse) =>
  categorize(
    words.map((word, i) => ({ endpoint: endpoint(word, i), port: 80 })),
    use,
    node,
  )

/** Which of the words are in a list. */
function lists(words: string[], use: ListUse) {
  const view = run(words, use)
  const pick = (list: 'inCluster' | 'inLocal') => words.filter((_, i) => view.endpoints[i]?.[list]).join(' ')
  return { cluster: pick('inCluster'), local: pick('inLocal'), any: view.hasAnyEndpoints }
}

describe('which endpoints', () => {
  const cases: [string, ListUse, string[], string, string, boolean][] = [
    [
      '[KP-3.2] the cluster list is the ready ones',
      CLUSTER,
      ['r', 'r@', 'u', 'p', 't', 'd'],
      'r r@',
      '',
      true,
    ],
    [
      '[KP-3.2 KP-14.4] none ready: all that serve while terminating',
      CLUSTER,
      ['u', 'p', 't', 't@', 'd'],
      't t@',
      '',
      true,
    ],
    ['[KP-3.2] serving, not ready, not terminating is never used', CLUSTER, ['p', 'p@'], '', '', false],
    [
      '[KP-3.2 KP-14.4] hints are ignored in the terminating fallback',
      CLUSTER,
      ['t/b', 't/a'],
      't/b t/a',
      '',
      true,
    ],
    ['[KP-3.5.3] the cluster list is narrowed to the zone', CLUSTER, ['r/a', 'r/b', 'r@/b'], 'r/a', '', true],
    ['[KP-3.5.2] the cluster list is narrowed to the node', CLUSTER, ['r=n1', 'r=n2'], 'r=n1', '', true],
    ['[KP-3.3] the local list is the ready ones here', LOCAL, ['r', 'r@', 't@'], '', 'r@', true],
    [
      '[KP-3.3 KP-14.4] none ready here: those here that serve while terminating',
      LOCAL,
      ['r', 't@', 't', 'u@'],
      '',
      't@',
      true,
    ],
    ['[KP-3.3 KP-14.6] hints never touch the local list', LOCAL, ['r/a', 'r@/b'], '', 'r@/b', true],
    [
      '[KP-3.3 KP-14.4] the two fallbacks are independent: local terminating beside cluster ready',
      BOTH,
      ['r', 't@'],
      'r',
      't@',
      true,
    ],
    ['[KP-3.3] both fall back', BOTH, ['t', 't@', 'u'], 't t@', 't@', true],
    [
      '[KP-3.3 KP-14.6] hints narrow the cluster list, not the local one',
      BOTH,
      ['r/a', 'r@/b'],
      'r/a',
      'r@/b',
      true,
    ],
    ['[KP-3.4 KP-14.1] nobody here, somebody elsewhere', LOCAL, ['r'], '', '', true],
    [
      '[KP-3.4 KP-14.1] nobody here, somebody elsewhere serves while terminating',
      LOCAL,
      ['t', 'u@'],
      '',
      '',
      true,
    ],
    ['[KP-3.4 KP-14.1] nobody anywhere', LOCAL, ['u', 'p@', 'd@'], '', '', false],
    ['[KP-3.4 KP-14.1] nobody anywhere, both lists', BOTH, ['u', 'd'], '', '', false],
    ['[KP-3.4 KP-14.1] no endpoints at all', CLUSTER, [], '', '', false],
  ]
  for (const [title, use, words, cluster, local, any] of cases) {
    it(title, () => assert.deepEqual(lists(words, use), { cluster, local, any }))
  }

  it('[KP-2.6 KP-14.5] ready is taken literally: used though not serving, or terminating (publishNotReadyAddresses)', () => {
    const odd = anEndpoint('10.0.0.1', { serving: false, terminating: true, nodeName: 'n1' })
    const view = categorize([{ endpoint: odd, port: 80 }], BOTH, node)
    assert.deepEqual([view.endpoints[0]?.inCluster, view.endpoints[0]?.inLocal], [true, true])
  })

  it('[KP-2.7 KP-14.15] a missing nodeName is never local', () => {
    const view = categorize([{ endpoint: anEndpoint('10.0.0.1'), port: 80 }], LOCAL, node)
    assert.deepEqual(
      [view.endpoints[0]?.local, view.endpoints[0]?.inLocal, view.hasAnyEndpoints],
      [false, false, true],
    )
  })

  const reasons: [string, ListUse, string[], (string | undefined)[]][] = [
    [
      'unready',
      CLUSTER,
      ['r', 'u', 'p', 'd'],
      [undefined, 'not ready', 'not ready', 'terminating, and no longer serving'],
    ],
    ['terminating', CLUSTER, ['r', 't'], [undefined, 'terminating, and there are ready endpoints']],
    ['terminating here', LOCAL, ['r@', 't@'], [undefined, 'terminating, and there are ready endpoints here']],
    [
      'policy',
      LOCAL,
      ['r', 't', 'r@'],
      [...Array(2).fill('on node n2, and internalTrafficPolicy is Local'), undefined],
    ],
    ['zone', CLUSTER, ['r/a', 'r/b'], [undefined, 'hinted for zone b, this node is in zone a']],
    ['node', CLUSTER, ['r=n1', 'r=n2'], [undefined, 'hinted for node n2, this is node n1']],
  ]
  for (const [title, use, words, expected] of reasons) {
    it(`why an endpoint is not used: ${title}`, () => {
      assert.deepEqual(
        run(words, use).endpoints.map(it => it.reason),
        expected,
      )
    })
  }

  it('an endpoint has a reason if and only if it is in neither list, and lists are never empty for nothing', () => {
    const word = fc
      .tuple(
        fc.constantFrom(...'rupt', 'd'),
        fc.constantFrom('', '@'),
        fc.constantFrom('', '/a', '/b'),
        fc.constantFrom('', '=n1', '=n2'),
      )
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.constantFrom(CLUSTER, LOCAL, BOTH), (words, use) => {
        const view = run(words, use)
        for (const it of view.endpoints) assert.equal(it.reason === undefined, it.inCluster || it.inLocal)
        const usable = view.endpoints.filter(it => it.ready || (it.serving && it.terminating))
        assert.equal(view.hasAnyEndpoints, usable.length > 0)
        assert.equal(
          view.endpoints.some(it => it.inCluster),
          use.cluster && usable.length > 0,
        )
        assert.equal(
          view.endpoints.some(it => it.inLocal),
          use.local && usable.some(it => it.local),
        )
        for (const it of view.endpoints) assert.ok(!it.inLocal || it.local)
      }),
    )
  })
})
