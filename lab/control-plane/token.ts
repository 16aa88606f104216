import { createPrivateKey, sign } from 'node:crypto'

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local'

/**
 * A bound service account token as the API server's TokenRequest makes it, but of any lifetime: TokenRequest gives no
 * less than ten minutes. `key`: PEM of the P-256 key that the server verifies with. Times in seconds.
 */
export function signToken(
  key: string,
  account: ServiceAccount,
  { now, lifetime }: { readonly now: number; readonly lifetime: number },
): string {
  const head = { alg: 'ES256', typ: 'JWT' }
  const claims = {
    iss: tokenIssuer,
    aud: [tokenIssuer],
    sub: `system:serviceaccount:${account.namespace}:${account.name}`,
    iat: now,
    nbf: now,
    exp: now + lifetime,
    'kubernetes.io': {
      namespace: account.namespace,
      serviceaccount: { name: account.name, uid: account.uid },
    },
  }
  const text = [head, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(text), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  })
  return `${text}.${signature.toString('base64url')}`
}
