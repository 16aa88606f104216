import { readFile } from 'node:fs/promises'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import { isRecord } from '../../objects/fields.ts'
import { proxyFromEnvironment } from './http-proxy.ts'
import { wholeText } from './whole.ts'

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 256 << 10

type Config = Readonly<Record<string, string>>

/** What client-node wants of whoever refreshes a token for it. */
interface Refreshed {
  readonly id_token: string
  readonly refresh_token: string
  /** Seconds since 1970. */
  readonly expires_at: number
}

/**
 * Trades a refresh token for an ID token, as kubectl does: OpenID Connect Discovery 1.0, then RFC 6749 section 6. The
 * ID token is not verified: the API server does that.
 */
export async function refreshIdToken(config: Config, refreshToken: string): Promise<Refreshed> {
  const issuer = new URL(config['idp-issuer-url'] ?? '')
  if (issuer.protocol !== 'https:') throw new Error('idp-issuer-url is no https URL')
  const dispatcher = await socketsTo(issuer, config)
  try {
    const metadata = await ask(
      dispatcher,
      `${issuer.href.replace(/\/$/, '')}/.well-known/openid-configuration`,
    )
    if (typeof metadata.token_endpoint !== 'string') throw new Error('the issuer names no token_endpoint')
    const tokens = await ask(dispatcher, metadata.token_endpoint, grant(config, refreshToken, metadata))
    const { id_token, refresh_token = refreshToken } = tokens
    if (typeof id_token !== 'string' || typeof refresh_token !== 'string')
      throw new Error('the issuer gave no id_token')
    return { id_token, refresh_token, expires_at: expiryOf(id_token) }
  } finally {
    await dispatcher.close()
  }
}

/** When an ID token ends, in seconds since 1970; 0 for what is none. */
export function expiryOf(idToken: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
    return isRecord(claims) && typeof claims.exp === 'number' ? claims.exp : 0
  } catch {
    return 0
  }
}

interface Grant {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The client's secret goes where the issuer wants it, if there is one. */
function grant(config: Config, refreshToken: string, metadata: Readonly<Record<string, unknown>>): Grant {
  const { 'client-id': id = '', 'client-secret': secret = '' } = config
  const methods = metadata.token_endpoint_auth_methods_supported
  const posted = Array.isArray(methods) && !methods.includes('client_secret_basic')
  const inHeader = secret !== '' && !posted
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...(!inHeader && { client_id: id }),
    ...(secret !== '' && posted && { client_secret: secret }),
  })
  const basic = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')
  return {
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(inHeader && { authorization: `Basic ${basic}` }),
    },
    body: `${body}`,
  }
}

async function ask(dispatcher: Dispatcher, url: string, send?: Grant) {
  const { origin, pathname, search } = new URL(url)
  const { statusCode, body } = await dispatcher.request({
    ...{ origin, path: `${pathname}${search}`, method: send === undefined ? 'GET' : 'POST' },
    ...(send !== undefined && { body: send.body }),
    headers: { accept: 'application/json', ...send?.headers },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await wholeText(body, MAX_ANSWER_BYTES)
  const answer: unknown = text.trimStart().startsWith('{') ? JSON.parse(text) : undefined
  if (statusCode === 200 && isRecord(answer)) return answer
  const why = isRecord(answer) ? (answer.error_description ?? answer.error) : undefined
  throw new Error(`${pathname}: ${statusCode} ${typeof why === 'string' ? why.slice(0, 200) : ''}`.trim())
}

async function socketsTo(issuer: URL, config: Config): Promise<Dispatcher> {
  const { 'idp-certificate-authority-data': data, 'idp-certificate-authority': file } = config
  const ca = data ? Buffer.from(data, 'base64').toString() : file && (await readFile(file, 'utf8'))
  const connect = { ...(ca && { ca }), timeout: TIMEOUT_MS }
  const proxy = proxyFromEnvironment(issuer, process.env)
  return proxy === undefined
    ? new Agent({ connect })
    : new ProxyAgent({ uri: proxy.href, requestTls: connect, proxyTls: { timeout: TIMEOUT_MS } })
}
