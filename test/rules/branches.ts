/**
 * Every way a rule can go in the restatement. A property that never goes one of them proves nothing about it. Of a rule
 * in parentheses only what rows for a node say of it is compared, not the whole rule.
 */
export const BRANCHES = [
  'KP-1.1 another proxy',
  'KP-1.1 another proxy, empty label',
  'KP-1.2 slice of a headless Service',
  'KP-1.4 ServiceCIDR',
  'KP-1.4 bad ServiceCIDR',
  'KP-1.5 no ClusterIP',
  'KP-1.5 headless',
  'KP-1.5 ExternalName with a ClusterIP',
  'KP-1.6 family by clusterIPs and ipFamilies',
  'KP-1.6 family by clusterIP alone',
  'KP-1.6 no ClusterIP of the family, but node ports',
  'KP-1.7 node port of type ClusterIP',
  'KP-1.7 load balancer of another type',
  'KP-1.8 targetPort',
  'KP-1.8 trafficDistribution',
  'KP-1.9 VIP',
  'KP-1.9 no mode',
  'KP-1.9 Proxy',
  'KP-1.9 hostname',
  'KP-1.9 other family',
  'KP-1.10 external IP',
  'KP-1.10 bad external IP',
  'KP-1.10 other family',
  'KP-1.10 gate off',
  'KP-1.11 ranges',
  'KP-1.11 white space',
  'KP-1.11 bad range',
  'KP-1.11 zero range',
  'KP-1.11 only ranges of the other family',
  'KP-1.12 Local does not count',
  'KP-1.12 Local by external IPs',
  'KP-1.12 Local by type',
  'KP-1.12 internal Local',
  'KP-1.13 health check',
  'KP-1.13 no number',
  'KP-1.13 other type',
  'KP-1.13 policy Cluster',
  'KP-1.14 leading zeros',
  'KP-1.15 one number, two protocols',
  'KP-2.1 FQDN',
  'KP-2.1 other family',
  'KP-2.2 no label',
  'KP-2.2 other namespace',
  'KP-2.3 several slices',
  'KP-2.3 several numbers',
  'KP-2.4 no name',
  'KP-2.4 no number',
  'KP-2.4 zero',
  'KP-2.4 empty name',
  'KP-2.5 no address',
  'KP-2.5 several addresses',
  'KP-2.6 ready absent',
  'KP-2.6 serving absent',
  'KP-2.6 terminating absent',
  'KP-2.6 ready, but not serving',
  'KP-2.6 ready and terminating',
  'KP-2.7 local',
  'KP-2.7 no nodeName',
  'KP-2.7 nodeName in other letters',
  'KP-2.8 running beats terminating',
  'KP-2.8 undefined',
  'KP-2.9 zones',
  'KP-2.9 nodes',
  'KP-2.9 empty hints',
  'KP-2.11 slice without Service',
  'KP-3.1 cluster list only',
  'KP-3.1 local list only',
  'KP-3.1 both lists',
  'KP-3.2 ready',
  'KP-3.2 terminating',
  'KP-3.2 nobody',
  'KP-3.3 ready',
  'KP-3.3 terminating',
  'KP-3.3 nobody',
  'KP-3.3 local by hints out of the cluster list',
  'KP-3.3 local terminating beside ready elsewhere',
  'KP-3.4 only elsewhere',
  'KP-3.4 nobody anywhere',
  'KP-3.5 unready without hint',
  'KP-3.5.1',
  'KP-3.5.2',
  'KP-3.5.3',
  'KP-3.5.3 node hints for other nodes',
  'KP-3.5.4 hint missing',
  'KP-3.5.4 node without zone',
  'KP-3.5.4 nobody for the zone',
  'KP-4.1',
  'KP-4.2',
  'KP-4.3',
  'KP-4.4 ClusterIP',
  'KP-4.4 external',
  'KP-4.5',
  'KP-4.6',
  'KP-4.7',
  'KP-4.8',
  'KP-4.9',
  '(KP-4.10)',
  'KP-4.15 short circuit with internal Local',
  'KP-4.1.1 all',
  'KP-4.1.1 not all',
  'KP-4.1.2 all',
  'KP-4.1.2 detector',
  'KP-4.1.2 no detector',
  'KP-4.1.3',
  'KP-4.1.4 no detector',
  'KP-4.1.5',
  'KP-4.1.6',
  'KP-4.1.9 none',
  'KP-4.1.9 clusterCIDR of the family',
  'KP-4.1.9 clusterCIDR of the other family',
  'KP-4.1.9 podCIDR',
  'KP-4.1.9 no podCIDR',
  'KP-4.1.9 interface',
  '(KP-4.3.2) affinity',
  '(KP-4.3.2) default timeout',
  '(KP-5.9) external address of the Node',
  '(KP-5.9) bindAddress',
  '(KP-5.9) bindAddress unspecified',
  'KP-8.1.6 unknown Node',
  'KP-8.1.6 deleted',
  'KP-8.1.6 taint',
  'KP-8.1.6 another taint',
  'KP-8.1.6 eligible',
  '(KP-8.2.3) one IP at two ports',
  '(KP-8.2.3) terminating',
] as const

export type Branch = (typeof BRANCHES)[number]

/** In how many clusters each branch was gone. */
export class Coverage {
  readonly #clusters = new Map<Branch, number>(BRANCHES.map(branch => [branch, 0]))
  readonly #here = new Set<Branch>()

  readonly hit = (branch: Branch, when = true): void => {
    if (!when || this.#here.has(branch)) return
    this.#here.add(branch)
    this.#clusters.set(branch, (this.#clusters.get(branch) ?? 0) + 1)
  }

  /** What comes is about another cluster. */
  next(): void {
    this.#here.clear()
  }

  /** Rarest first. */
  rarest(): [Branch, number][] {
    return [...this.#clusters].sort(([, a], [, b]) => a - b)
  }
}

export type Hit = Coverage['hit']
