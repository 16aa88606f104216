import type { Answer } from '../http/answer.ts'

export interface ServiceHealthInput {
  readonly namespace: string
  readonly name: string
  /** Distinct addresses of ready endpoints on this node. */
  readonly localEndpoints: number
  /** What /livez answers by. */
  readonly proxyHealthy: boolean
}

/** What a load balancer is told that asks a healthCheckNodePort: the count also where it must not send traffic. */
export function serviceHealthAnswer(input: ServiceHealthInput): Answer {
  const { namespace, name, localEndpoints, proxyHealthy } = input
  const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: proxyHealthy }
  return {
    status: localEndpoints > 0 && proxyHealthy ? 200 : 503,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': `${localEndpoints}`,
    },
    body: JSON.stringify(body, undefined, '\t'),
  }
}
