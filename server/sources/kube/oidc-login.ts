import type { RequestOptions } from 'node:https'
import { OpenIDConnectAuth } from '@kubernetes/client-node/dist/oidc_auth.js'
import { ApiFailure } from './api-failure.ts'
import type { Credentials, Login } from './login.ts'

/** A token is not used any more so long before it expires: clocks differ, and requests take time. */
const MARGIN_MS = 10_000

export interface OidcLoginOptions {
  readonly user: string
  /** As in a kubeconfig: id-token, refresh-token, client-id, idp-issuer-url, idp-certificate-authority(-data). */
  readonly config: Readonly<Record<string, string>>
}

/**
 * An ID token, refreshed by client-node when it has expired. What is refreshed is not written back to the kubeconfig,
 * and client-node has no use for a client-secret: issuers that want either need an exec plugin.
 */
export class OidcLogin implements Login {
  readonly #options: OidcLoginOptions
  readonly #auth = new OpenIDConnectAuth()
  /** client-node writes into it. */
  readonly #user: { readonly name: string; readonly authProvider: object }
  #held: { readonly token: string; readonly untilMs: number } | undefined
  #asking: Promise<Credentials> | undefined

  constructor(options: OidcLoginOptions) {
    this.#options = options
    this.#user = { name: options.user, authProvider: { name: 'oidc', config: { ...options.config } } }
  }

  async current(): Promise<Credentials> {
    if (this.#held !== undefined && Date.now() < this.#held.untilMs)
      return { token: this.#held.token, clientCertificate: undefined }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  refuse(): void {
    this.#held = undefined
  }

  [Symbol.dispose](): void {}

  async #ask(): Promise<Credentials> {
    const options: RequestOptions & { headers: Record<string, string> } = { headers: {} }
    try {
      await this.#auth.applyAuthentication(this.#user, options)
    } catch (reason) {
      throw this.#failure(reason instanceof Error ? reason.message : String(reason), reason)
    }
    const token = options.headers.Authorization?.replace(/^Bearer /, '')
    if (token === undefined)
      throw this.#failure(
        'the id-token has expired, and there is nothing to refresh it with (client-id, refresh-token, idp-issuer-url)',
      )
    // client-node takes the seconds that are left for the time of expiry, and would refresh on every request.
    this.#held = { token, untilMs: OpenIDConnectAuth.expirationFromToken(token) * 1000 - MARGIN_MS }
    return { token, clientCertificate: undefined }
  }

  #failure(message: string, cause?: unknown): ApiFailure {
    const issuer = this.#options.config['idp-issuer-url'] ?? 'OIDC'
    return new ApiFailure(
      'unreachable',
      `user "${this.#options.user}": no token from ${issuer}: ${message}`,
      {
        cause,
      },
    )
  }
}
