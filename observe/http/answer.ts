import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a server says to a request. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** As Go's net/http answers for a path that nobody serves. */
export const notFound: Answer = text(404, '404 page not found\n')

export function text(status: number, body: string): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
    body,
  }
}

/** The path of a request, without what follows a question mark. */
export const pathOf = (request: IncomingMessage): string => (request.url ?? '').replace(/[?#].*$/s, '')

/** Sends it whole; to a HEAD without its body. */
export function send(response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, { ...answer.headers, 'Content-Length': body.length })
  response.end(body)
}
