import type { RequestOptions } from 'node:https'
import { OpenIDConnectAuth } from '@kubernetes/client-node/dist/oidc_auth.js'
import { ApiFailure } from './api-failure.ts'
import type { Credentials, Login } from './login.ts'
import { expiryOf, refreshIdToken } from './oidc-refresh.ts'

/** A token is not used any more so long before it expires: clocks differ, and requests take time. */
const MARGIN_MS = 10_000

export interface OidcLoginOptions {
  readonly user: string
  /** As in a kubeconfig: id-token, refresh-token, client-id, client-secret, idp-issuer-url, idp-certificate-authority(-data). */
  readonly config: Readonly<Record<string, string>>
}

/**
 * An ID token. client-node keeps it and sees when it has expired; refreshing is ours, since its own (2.0.1) takes
 * neither a client-secret nor an issuer of a private authority. What is refreshed is not written back to the
 * kubeconfig.
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
    if (this.#held !== undefined) this.#expire()
    // Who asks while it is being refreshed waits for that.
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  refuse(): void {
    if (this.#held !== undefined) this.#held = { ...this.#held, untilMs: 0 }
  }

  [Symbol.dispose](): void {}

  /** For client-node, which would use it to its last second; where nothing refreshes it, that is all there is. */
  #expire(): void {
    const { config } = this.#options
    const refreshes = ['client-id', 'refresh-token', 'idp-issuer-url'].every(field => config[field])
    // Private in its types alone.
    if (refreshes) Object.assign(this.#auth, { currentTokenExpiration: 1 })
  }

  async #ask(): Promise<Credentials> {
    const options: RequestOptions & { headers: Record<string, string> } = { headers: {} }
    const client = { refresh: (token: string) => refreshIdToken(this.#options.config, token) }
    try {
      await this.#auth.applyAuthentication(this.#user, options, client)
    } catch (reason) {
      throw this.#failure(reason instanceof Error ? reason.message : String(reason), reason)
    }
    const token = options.headers.Authorization?.replace(/^Bearer /, '')
    if (token === undefined)
      throw this.#failure(
        'the id-token has expired, and there is nothing to refresh it with (client-id, refresh-token, idp-issuer-url)',
      )
    this.#held = { token, untilMs: expiryOf(token) * 1000 - MARGIN_MS }
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
