import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TrafficClass } from '@kpng/api'
import { type DecisionFacts, decide, verdictOf } from './decisions.ts'

const facts = (fields: Partial<DecisionFacts>): DecisionFacts => ({
  internalLocal: false,
  externalLocal: false,
  cluster: 'serve',
  local: 'serve',
  masqueradeAll: false,
  localDetector: true,
  ...fields,
})

const LOCAL = { externalLocal: true }

describe('masquerade', () => {
  /** With masqueradeAll; with a way to tell pods; with none. */
  const table: [string, TrafficClass, object, boolean, boolean, boolean][] = [
    ['[KP-4.1.1] local pod to ClusterIP', 'clusterIPFromPod', {}, true, false, false],
    ['[KP-4.1.2] node or any other source to ClusterIP', 'clusterIPFromElsewhere', {}, true, true, false],
    ['[KP-4.1.3 KP-14.3] local pod to external, Cluster', 'externalFromPod', {}, true, true, true],
    ['[KP-4.1.3] node to external, Cluster', 'externalFromNode', {}, true, true, true],
    ['[KP-4.1.3] any other source to external, Cluster', 'externalFromElsewhere', {}, true, true, true],
    ['[KP-4.1.4] local pod to external, Local', 'externalFromPod', LOCAL, false, false, false],
    ['[KP-4.1.5] node to external, Local', 'externalFromNode', LOCAL, true, true, true],
    ['[KP-4.1.6] any other source to external, Local', 'externalFromElsewhere', LOCAL, false, false, false],
  ]
  for (const [title, traffic, policies, all, detector, none] of table) {
    it(title, () => {
      const masquerade = (masqueradeAll: boolean, localDetector: boolean) =>
        decide(facts({ ...policies, masqueradeAll, localDetector }))[traffic].masquerade
      assert.deepEqual(
        { all: masquerade(true, true), detector: masquerade(false, true), none: masquerade(false, false) },
        { all, detector, none },
      )
      assert.equal(masquerade(true, false), all, 'masqueradeAll needs no detector')
    })
  }
})

describe('which list', () => {
  /** Lists of ClusterIP from pods, ClusterIP from elsewhere, external from pods, from the node, from elsewhere. */
  const table: [string, Partial<DecisionFacts>, string][] = [
    ['both policies Cluster', {}, 'cluster cluster cluster cluster cluster'],
    ['internal Local', { internalLocal: true }, 'local local cluster cluster cluster'],
    [
      '[KP-4.6 KP-4.7 KP-14.2] external Local: all endpoints for pods and the node',
      LOCAL,
      'cluster cluster cluster cluster local',
    ],
    [
      '[KP-4.1.4] external Local, pods cannot be told: what they send is from elsewhere',
      { ...LOCAL, localDetector: false },
      'cluster cluster local cluster local',
    ],
    ['both policies Local', { ...LOCAL, internalLocal: true }, 'local local cluster cluster local'],
  ]
  for (const [title, fields, expected] of table) {
    it(title, () => {
      const decisions = Object.values(decide(facts(fields)))
      assert.equal(decisions.map(it => it.list).join(' '), expected)
    })
  }
})

describe('verdicts', () => {
  it('[KP-3.4] an empty list is refused where nobody can serve, dropped where somebody can', () => {
    assert.equal(verdictOf(true, false), 'refuse')
    assert.equal(verdictOf(true, true), 'drop')
    assert.equal(verdictOf(false, true), 'serve')
  })

  it('each class of traffic has the verdict of its list', () => {
    const decisions = decide(facts({ ...LOCAL, cluster: 'serve', local: 'drop' }))
    for (const { list, verdict } of Object.values(decisions)) {
      assert.equal(verdict, list === 'cluster' ? 'serve' : 'drop')
    }
  })

  it('equal facts have one object as answer, others have another', () => {
    assert.equal(decide(facts({})), decide(facts({})))
    const all = new Set<unknown>()
    for (const cluster of ['serve', 'refuse', 'drop'] as const) {
      for (const internalLocal of [false, true]) {
        for (const masqueradeAll of [false, true]) {
          for (const localDetector of [false, true]) {
            all.add(decide(facts({ cluster, internalLocal, masqueradeAll, localDetector })))
          }
        }
      }
    }
    assert.equal(all.size, 24)
  })
})
