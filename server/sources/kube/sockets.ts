import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import { ApiFailure } from './api-failure.ts'
import { type ClusterAccess, type Material, readMaterial } from './cluster-access.ts'
import type { Credentials } from './login.ts'

export type ClientCertificate = NonNullable<Credentials['clientCertificate']>

export interface SocketOptions {
  /** Where the access has none. */
  readonly certificate: ClientCertificate | undefined
  readonly lookup: LookupFunction
  readonly connectTimeoutMs: number
}

/**
 * How far the server may be ahead of us, in bytes: of one answer, and of all. As much as it has ready by the time that
 * our first modules and programs are loaded. initialWindowSize is where undici 8.12 looks for what its types (and its
 * checks) have in `settings`.
 */
const windows = { connectionWindowSize: 16 << 20, initialWindowSize: 8 << 20 } satisfies Record<
  string,
  number
>

/** Connections to the API server, through the proxy if there is one. Certificates are those of this moment. */
export async function makeSockets(access: ClusterAccess, options: SocketOptions): Promise<Dispatcher> {
  const { lookup, connectTimeoutMs: timeout } = options
  const tls = await tlsOptions(access, options.certificate)
  const limits = {
    allowH2: true,
    h2Options: windows,
    // Silence is the reflector's to judge.
    bodyTimeout: 0,
    headersTimeout: 0,
  }
  if (access.proxy === undefined) return new Agent({ ...limits, connect: { ...tls, timeout, lookup } })
  return new ProxyAgent({
    ...limits,
    uri: access.proxy.href,
    requestTls: { ...tls, timeout, allowH2: true },
    proxyTls: { timeout },
  })
}

async function tlsOptions(access: ClusterAccess, certificate: ClientCertificate | undefined) {
  const { certificateAuthority, clientCertificate, clientKey, tlsServerName } = access
  const cert = clientCertificate ? await readMaterial(clientCertificate) : certificate?.cert
  const key = clientKey ? await readKey(clientKey) : certificate?.key
  return {
    rejectUnauthorized: access.insecureSkipTlsVerify !== true,
    ...(certificateAuthority && { ca: await readMaterial(certificateAuthority) }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tlsServerName !== undefined && { servername: tlsServerName }),
  }
}

/** Throws `unreachable` also for a key behind a passphrase: there is nobody to ask. */
async function readKey(material: Material): Promise<string> {
  const key = await readMaterial(material)
  if (!/-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(key)) return key
  const which = 'file' in material ? material.file : 'client-key-data'
  throw new ApiFailure(
    'unreachable',
    `the key in ${which} is encrypted: keys need to be without a passphrase`,
  )
}
