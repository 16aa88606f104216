import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { cert, key } from './certificate.ts'

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An OpenID Connect issuer on loopback that refreshes ID tokens; their signatures are worth nothing. */
export class OidcIssuer implements AsyncDisposable {
  /** Bodies of the requests for a token, with their Authorization if there was one. */
  readonly refreshed: string[] = []
  /** How a client may show its secret. */
  methods = ['client_secret_basic', 'client_secret_post']
  /** Says no, with this reason. */
  error: string | undefined
  readonly #server: Server

  private constructor() {
    this.#server = createServer({ cert, key }, (request, response) => {
      if (request.url === '/token')
        void text(request).then(body => this.#refresh(body, request.headers.authorization, response))
      else this.#discovery(response)
    })
  }

  static async listen(): Promise<OidcIssuer> {
    const issuer = new OidcIssuer()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    issuer.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    await promise
    return issuer
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** A token of ours; serial tells them apart. */
  idToken(serial: number, expiresInS: number): string {
    const nowS = Math.floor(Date.now() / 1000)
    const claims = { iss: this.url, aud: 'kpng', sub: 'jane', iat: nowS, exp: nowS + expiresInS, serial }
    return `${base64({ alg: 'RS256' })}.${base64(claims)}.${Buffer.from('x').toString('base64url')}`
  }

  #refresh(body: string, authorization: string | undefined, response: ServerResponse): void {
    this.refreshed.push([body, authorization].filter(it => it !== undefined).join(' '))
    if (this.error !== undefined) {
      response.statusCode = 400
      response.end(JSON.stringify({ error: this.error }))
      return
    }
    const serial = this.refreshed.length
    const answer = {
      access_token: 'a',
      token_type: 'bearer',
      expires_in: 3600,
      id_token: this.idToken(serial, 3600),
      refresh_token: `refresh-${serial}`,
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  }

  #discovery(response: ServerResponse): void {
    const { url } = this
    const answer = {
      issuer: url,
      authorization_endpoint: `${url}/auth`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: this.methods,
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}
