/** What our own rows for one node say, in the words of the restatement. */
import type {
  EndpointView,
  Family,
  NodeView,
  PortEndpointsView,
  ServicePortView,
  ServiceView,
  TrafficClass,
} from '@kpng/api'
import type { StatedHealth } from './restated.ts'
import type { Client, Decision, Decisions } from './restated-decisions.ts'
import type { StatedNode } from './restated-node.ts'

export interface ViewedPort {
  readonly key: string
  readonly destinations: readonly string[]
  readonly affinitySeconds: number
  readonly answer: { readonly inside: Decisions; readonly outside?: Decisions }
}

const familiesOf = (view: ServiceView): Family[] => Object.keys(view.addresses) as Family[]

export const viewedPorts = (view: ServiceView): ViewedPort[] =>
  familiesOf(view).flatMap(family => view.ports.map(port => viewedPort(view, port, family)))

function viewedPort(view: ServiceView, port: ServicePortView, family: Family): ViewedPort {
  const addresses = view.addresses[family]
  const endpoints = port.endpoints[family]
  const key = `${view.namespace}/${view.name} ${port.name}/${port.protocol} ${family}`
  if (addresses === undefined || endpoints === undefined) throw new Error(`${key}: half a row`)
  const { clusterIP, externalIPs, loadBalancerIPs, sourceRanges } = addresses
  const at = (ip: string) => (family === 'IPv6' ? `[${ip}]:${port.port}` : `${ip}:${port.port}`)
  const from = sourceRanges.length > 0 ? ` from ${[...sourceRanges].sort().join(' ')}` : ''
  const outer = [
    ...externalIPs.map(ip => `external ${at(ip)}`),
    ...loadBalancerIPs.map(ip => `load balancer ${at(ip)}${from}`),
    ...(port.nodePort === 0 ? [] : [`node port ${port.nodePort}`]),
  ]
  return {
    key,
    destinations: [`ClusterIP ${at(clusterIP)}`, ...outer].sort(),
    affinitySeconds: view.affinityTimeoutSeconds,
    answer: {
      inside: decisions(endpoints, {
        pod: 'clusterIPFromPod',
        node: 'clusterIPFromElsewhere',
        elsewhere: 'clusterIPFromElsewhere',
      }),
      ...(outer.length > 0 && {
        outside: decisions(endpoints, {
          pod: 'externalFromPod',
          node: 'externalFromNode',
          elsewhere: 'externalFromElsewhere',
        }),
      }),
    },
  }
}

function decisions(view: PortEndpointsView, classes: Readonly<Record<Client, TrafficClass>>): Decisions {
  const decision = (client: Client): Decision => {
    const { verdict, list, masquerade } = view.decisions[classes[client]]
    if (verdict !== 'serve') return { verdict }
    const chosen = view.endpoints.filter(it => (list === 'cluster' ? it.inCluster : it.inLocal))
    return { verdict, endpoints: chosen.map(ipPort).sort(), masquerade }
  }
  return { pod: decision('pod'), node: decision('node'), elsewhere: decision('elsewhere') }
}

const ipPort = ({ address, port }: EndpointView): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** Without what rule 1.13 leaves out. */
export function viewedHealth(view: ServiceView): StatedHealth[] {
  if (view.healthCheckNodePort === 0 || view.ports.length === 0) return []
  return familiesOf(view).map(family => {
    const endpoints = view.ports.flatMap(port => port.endpoints[family]?.endpoints ?? [])
    const counted = endpoints.filter(endpoint => endpoint.local && endpoint.ready)
    return {
      key: `${view.namespace}/${view.name} ${family}`,
      nodePort: view.healthCheckNodePort,
      count: new Set(counted.map(endpoint => endpoint.address)).size,
    }
  })
}

export function viewedNode(view: NodeView): StatedNode {
  const four = view.addresses.find(address => !address.includes(':'))
  const six = view.addresses.find(address => address.includes(':'))
  return {
    zone: view.zone,
    eligible: view.eligible,
    primary: { ...(four !== undefined && { IPv4: four }), ...(six !== undefined && { IPv6: six }) },
    serviceCIDRs: [...view.serviceCIDRs].sort(),
  }
}
