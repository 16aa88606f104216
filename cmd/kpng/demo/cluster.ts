/**
 * What the tour relies on in examples/cluster/dump.yaml: three nodes in two zones, running a small shop.
 */
export const nodes = ['kpng-worker1', 'kpng-worker2', 'kpng-worker3'] as const

/** ClusterIP and NodePort; three endpoints, one on each node. */
export const frontend = {
  service: 'shop/frontend',
  clusterIP: '10.96.128.181',
  port: 80,
  nodePort: '172.30.0.11:30080',
}

/** An external IP, two endpoints. */
export const shipping = { service: 'shop/shipping', externalIP: '198.51.100.20:50051' }

/** Dual stack, two endpoints in each family. */
export const checkout = { service: 'shop/checkout', ipv6: '[fd00:10:96::cd8]:5050' }

/** UDP, two endpoints. */
export const nodeAgent = { service: 'shop/node-agent', address: '10.96.44.7:5140/udp' }

/** Four endpoints with zone hints, two for each zone. */
export const catalog = {
  service: 'shop/catalog',
  address: '10.96.78.157:3550',
  host: '10.96.78.157',
  port: 3550,
  zoneA: ['10.244.1.3', '10.244.2.5'],
  zoneB: ['10.244.3.4', '10.244.3.6'],
}

/** Two endpoints. */
export const ads = { service: 'shop/ads', address: '10.96.87.246:9555' }

/** No endpoints. */
export const email = { service: 'shop/email', address: '10.96.61.230:5000' }

/** A pod of another Service, on kpng-worker2. */
export const somePod = 'pod/10.244.2.4'
