import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { test } from 'node:test'
import { signToken, tokenIssuer } from './token.ts'

test('a token says whose it is and until when, and is signed as JWS wants it', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const account = { namespace: 'kube-system', name: 'proxy', uid: 'u-1' }
  const token = signToken(key, account, { now: 1_000, lifetime: 600 })
  const [head = '', claims = '', signature = ''] = token.split('.')
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
  assert.deepEqual(decode(head), { alg: 'ES256', typ: 'JWT' })
  assert.deepEqual(decode(claims), {
    iss: tokenIssuer,
    aud: [tokenIssuer],
    sub: 'system:serviceaccount:kube-system:proxy',
    iat: 1_000,
    nbf: 1_000,
    exp: 1_600,
    'kubernetes.io': { namespace: 'kube-system', serviceaccount: { name: 'proxy', uid: 'u-1' } },
  })
  const signed = Buffer.from(`${head}.${claims}`)
  const raw = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
  assert.ok(verify('sha256', signed, raw, Buffer.from(signature, 'base64url')))
})
