import type { IncomingMessage } from 'node:http'
import { type Answer, notFound, pathOf, text } from './http/answer.ts'

export interface MetricsPages {
  /** Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  /** The word for how Services are proxied. */
  readonly proxyMode: string
  /** The KubeProxyConfiguration in force. */
  readonly configuration: Readonly<Record<string, unknown>>
}

/** Where kube-proxy's configuration stands in /configz. */
const configurationGroup = 'kubeproxy.config.k8s.io'

/** The answers of the metrics server, at kube-proxy's paths. */
export async function metricsAnswer(request: IncomingMessage, pages: MetricsPages): Promise<Answer> {
  switch (pathOf(request)) {
    case '/metrics': {
      const { contentType, text: body } = await pages.metrics()
      return { status: 200, headers: { 'Content-Type': contentType }, body }
    }
    case '/healthz':
    case '/healthz/ping':
      return text(200, 'ok')
    case '/proxyMode':
      return text(200, pages.proxyMode)
    case '/configz':
      return {
        status: 200,
        headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' },
        body: JSON.stringify({ [configurationGroup]: pages.configuration }),
      }
    default:
      return notFound
  }
}
