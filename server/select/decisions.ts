/** What becomes of traffic to a service port, by where it comes from (the rules, apart from which endpoints). */
import type { TrafficDecision, TrafficDecisions } from '@kpng/api'
import type { PodSources } from './local-detector.ts'

/** What holds for every Service on this node. */
export interface NodePolicy {
  /** Masquerade all traffic to ClusterIPs. External traffic is not concerned. */
  readonly masqueradeAll: boolean
  /** Where pods can be told from other sources. */
  readonly podSources: PodSources
  /** false: no Service has externalIPs (kube-proxy's feature gate AllowServiceExternalIPs is off). */
  readonly externalIPs: boolean
}

/** kube-proxy's, without a clusterCIDR. */
export const DEFAULT_POLICY: NodePolicy = { masqueradeAll: false, podSources: {}, externalIPs: true }

type Verdict = TrafficDecision['verdict']

/** All that decisions depend on. */
export interface DecisionFacts {
  readonly internalLocal: boolean
  /** ExternalPolicyLocal. */
  readonly externalLocal: boolean
  /** What an empty list comes to is decided by whether anybody at all can serve. */
  readonly cluster: Verdict
  readonly local: Verdict
  readonly masqueradeAll: boolean
  /** Pods can be told from other sources. */
  readonly localDetector: boolean
}

export const verdictOf = (listIsEmpty: boolean, hasAnyEndpoints: boolean): Verdict =>
  listIsEmpty ? (hasAnyEndpoints ? 'drop' : 'refuse') : 'serve'

/** Every equal answer is one object: a cluster has few of them. */
export function decide(facts: DecisionFacts): TrafficDecisions {
  const key = factsKey(facts)
  const known = DECISIONS.get(key)
  if (known !== undefined) return known
  const made = makeDecisions(facts)
  DECISIONS.set(key, made)
  return made
}

/** Bounded by the number of keys: 144. */
const DECISIONS = new Map<number, TrafficDecisions>()
const VERDICTS: readonly Verdict[] = ['serve', 'refuse', 'drop']

function factsKey(facts: DecisionFacts): number {
  let key = VERDICTS.indexOf(facts.cluster) * 3 + VERDICTS.indexOf(facts.local)
  for (const fact of [facts.internalLocal, facts.externalLocal, facts.masqueradeAll, facts.localDetector]) {
    key = key * 2 + (fact ? 1 : 0)
  }
  return key
}

function makeDecisions(facts: DecisionFacts): TrafficDecisions {
  const { internalLocal, externalLocal, masqueradeAll, localDetector } = facts
  const decision = (local: boolean, masquerade: boolean): TrafficDecision => ({
    list: local ? 'local' : 'cluster',
    verdict: local ? facts.local : facts.cluster,
    masquerade,
  })
  const fromElsewhere = decision(externalLocal, !externalLocal)
  return {
    clusterIPFromPod: decision(internalLocal, masqueradeAll),
    clusterIPFromElsewhere: decision(internalLocal, masqueradeAll || localDetector),
    // A pod's traffic is taken for traffic that went out and came back: no policy, and its own address is good.
    externalFromPod: externalLocal && localDetector ? decision(false, false) : fromElsewhere,
    // The address that a node's process would use may be the very one it calls: always masqueraded.
    externalFromNode: decision(false, true),
    externalFromElsewhere: fromElsewhere,
  }
}
