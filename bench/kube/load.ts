import { inParallel, type Send } from './api.ts'
import { type ClusterSize, endpointSlice, namespaceOf, namespaces, service } from './cluster.ts'

export const slicesPath = (namespace: string): string =>
  `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`

const requestsAtOnce = 32

/** Creates the cluster's objects through the API. Gives the ClusterIP of each Service. */
export async function loadCluster(send: Send, size: ClusterSize): Promise<string[]> {
  for (const namespace of namespaces(size)) await send('POST', '/api/v1/namespaces', namespace)
  const clusterIPs = new Array<string>(size.services)
  await inParallel(size.services, requestsAtOnce, async index => {
    const namespace = namespaceOf(index)
    const made = (await send('POST', `/api/v1/namespaces/${namespace}/services`, service(index))) as {
      metadata: { uid: string }
      spec: { clusterIP: string }
    }
    clusterIPs[index] = made.spec.clusterIP
    const owner = { uid: made.metadata.uid, triggerTime: new Date().toISOString() }
    await send('POST', slicesPath(namespace), endpointSlice(index, size, owner))
  })
  return clusterIPs
}
