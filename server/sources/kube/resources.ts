import type { Kind } from '../../objects/types.ts'

/** One kind of object as the API server has it, and which of them the proxy asks for. */
export interface Resource {
  readonly kind: Kind
  readonly apiVersion: string
  readonly path: string
  readonly selectors: Readonly<Record<string, string>>
  /** A server without this API (404), or that keeps it from us (403), is one that has none of these objects. */
  readonly optional: boolean
}

const PROXY_NAME = 'service.kubernetes.io/service-proxy-name'

export interface ResourceOptions {
  readonly nodeName: string
  /** Services of this proxy; default: those that name none. */
  readonly serviceProxyName?: string | undefined
}

/** What kube-proxy watches, with its selectors: no headless Services and slices, only the node's own Node. */
export function proxyResources({ nodeName, serviceProxyName }: ResourceOptions): Resource[] {
  return [
    {
      kind: 'Service',
      apiVersion: 'v1',
      path: '/api/v1/services',
      selectors: {
        labelSelector:
          serviceProxyName === undefined ? `!${PROXY_NAME}` : `${PROXY_NAME}=${serviceProxyName}`,
        fieldSelector: 'spec.clusterIP!=None',
      },
      optional: false,
    },
    {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      path: '/apis/discovery.k8s.io/v1/endpointslices',
      selectors: { labelSelector: '!service.kubernetes.io/headless' },
      optional: false,
    },
    {
      kind: 'Node',
      apiVersion: 'v1',
      path: '/api/v1/nodes',
      selectors: { fieldSelector: `metadata.name=${nodeName}` },
      optional: false,
    },
    {
      kind: 'ServiceCIDR',
      apiVersion: 'networking.k8s.io/v1',
      path: '/apis/networking.k8s.io/v1/servicecidrs',
      selectors: {},
      optional: true,
    },
  ]
}
