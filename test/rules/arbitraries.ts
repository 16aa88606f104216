/**
 * Random clusters of a few objects, as JSON: names, addresses and numbers out of small sets, so that they meet; every
 * field that may be absent or null is so at times. Distributions are such that each branch of the rules is gone often.
 */
import fc from 'fast-check'
import { mostly, NAMESPACES, NOTHING, pick, SERVICES, some, ZONES } from './choices.ts'
import type { RawNode, RawObject, RawServiceCIDR } from './raw-objects.ts'
import type { NodePolicies } from './restated.ts'
import type { Detector } from './restated-node.ts'
import { service } from './service-arbitraries.ts'
import { type Mood, mood, slice } from './slice-arbitraries.ts'

const CLUSTER_CIDRS = ['10.1.0.0/16', 'fd01::/48', '10.2.0.0/16'] as const

interface Taint {
  readonly key: string
  readonly effect: string
}

const taint = (key: string): Taint => ({ key, effect: 'NoSchedule' })

const node = (name: string): fc.Arbitrary<RawNode> =>
  fc
    .record({
      zone: pick(...ZONES, '', undefined),
      labels: mostly([12, true], [1, false]),
      taints: mostly<readonly Taint[] | null | undefined>(
        [4, pick([], ...NOTHING)],
        [1, [taint('ToBeDeletedByClusterAutoscaler')]],
        [1, [taint('node.kubernetes.io/unreachable')]],
      ),
      podCIDRs: mostly<readonly string[] | null | undefined>(
        [3, some(2, CLUSTER_CIDRS)],
        [1, pick(...NOTHING)],
      ),
      deletionTimestamp: mostly<string | null | undefined>(
        [6, pick(...NOTHING)],
        [1, '2026-01-02T03:04:05Z'],
      ),
      addresses: mostly(
        [1, pick(...NOTHING)],
        [
          8,
          fc.array(
            fc.record({
              type: pick('InternalIP', 'InternalIP', 'ExternalIP', 'Hostname'),
              address: pick('172.16.0.1', '172.16.0.2', '172.016.0.3', 'fd16::1', 'fd16::2', 'host'),
            }),
            { maxLength: 4 },
          ),
        ],
      ),
    })
    .map(it => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: it.labels
          ? { ...(it.zone !== undefined && { 'topology.kubernetes.io/zone': it.zone }) }
          : null,
        deletionTimestamp: it.deletionTimestamp,
      },
      spec: { taints: it.taints, podCIDRs: it.podCIDRs },
      status: { addresses: it.addresses },
    }))

const serviceCIDR = (name: string): fc.Arbitrary<RawServiceCIDR> =>
  pick(
    ['10.96.0.0/16'],
    ['10.97.0.0/16', 'fd96::/112'],
    ['FD96::/112'],
    ['10.96.1.2/16', 'none'],
    [],
    ...NOTHING,
  ).map(cidrs => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs },
  }))

/** Any object of a cluster; two with one kind, namespace and name may differ in all the rest. */
function object(mood: Mood): fc.Arbitrary<RawObject> {
  const services = mostly([5, NAMESPACES[0]], [1, NAMESPACES[1]]).chain(namespace =>
    pick(...SERVICES).chain(name => service(namespace, name)),
  )
  return mostly<RawObject>(
    [8, services],
    [10, pick('e1', 'e2', 'e3', 'e4', 'e5', 'e6').chain(name => slice(name, mood))],
    [2, node('node-a')],
    [1, node('node-b')],
    [1, pick('c1', 'c2').chain(serviceCIDR)],
  )
}

export const keyOf = ({ kind, metadata }: RawObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

export const objects: fc.Arbitrary<RawObject[]> = mood.chain(mood =>
  fc.uniqueArray(object(mood), { minLength: 1, maxLength: 18, selector: keyOf, size: 'max' }),
)

export const nodeNames = mostly([8, 'node-a'], [1, ' Node-A '], [1, 'node-c'])

export const nodePolicies: fc.Arbitrary<NodePolicies> = fc.record({
  masqueradeAll: fc.boolean(),
  detector: mostly<Detector | undefined>(
    [1, undefined],
    [2, some(3, CLUSTER_CIDRS).map(clusterCIDRs => ({ mode: 'ClusterCIDR', clusterCIDRs }) as const)],
    [1, { mode: 'NodeCIDR' }],
    [1, pick('BridgeInterface', 'InterfaceNamePrefix').map(mode => ({ mode }))],
  ),
  externalIPs: mostly([5, true], [1, false]),
  bindAddress: mostly<string | undefined>(
    [4, undefined],
    [2, pick('0.0.0.0', '::')],
    [1, pick('172.16.9.9', 'fd16::9')],
  ),
})

/** What happens to a cluster, one after the other. */
export type Step =
  | { readonly do: 'set'; readonly object: RawObject }
  | { readonly do: 'remove'; readonly which: number }
  /** The view is brought up to date. */
  | { readonly do: 'look' }

export const history: fc.Arbitrary<Step[]> = mood.chain(mood =>
  fc.array(
    mostly<Step>(
      [8, object(mood).map(object => ({ do: 'set', object }) as const)],
      [2, fc.nat().map(which => ({ do: 'remove', which }) as const)],
      [1, { do: 'look' }],
    ),
    { minLength: 1, maxLength: 40, size: 'max' },
  ),
)
