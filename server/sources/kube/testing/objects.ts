/** Short ways to write down objects as an API server has them; for tests. */
import type { KubeJson } from './fake-api.ts'

/** A Service shop/NAME at 10.96.0.LAST, port 80. */
export function serviceJson(
  name: string,
  last = 1,
  more: { labels?: Record<string, string> } = {},
): KubeJson {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'shop',
      ...more,
      managedFields: [{ manager: 'kubectl', operation: 'Apply', fieldsV1: { 'f:spec': {} } }],
    },
    spec: { type: 'ClusterIP', clusterIP: `10.96.0.${last}`, ports: [{ name: '', port: 80 }] },
  }
}

/** An EndpointSlice shop/NAME-1 of Service NAME, port 8080. */
export function sliceJson(name: string, addresses: readonly string[]): KubeJson {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map(address => ({ addresses: [address], conditions: { ready: true } })),
  }
}

export function nodeJson(name: string, address = '172.30.0.1'): KubeJson {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: [{ type: 'InternalIP', address }] },
  }
}

export function serviceCIDRJson(name: string, cidr: string): KubeJson {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs: [cidr] },
  }
}
