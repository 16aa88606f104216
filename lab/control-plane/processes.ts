import { request } from 'node:http'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'
import type { CredentialStore } from './credentials.ts'
import type { ControlPlaneRecord } from './record.ts'
import { tokenIssuer } from './token.ts'

const etcdSocket = (directory: string): string => join(directory, 'etcd.sock')

/**
 * The command of etcd: on unix sockets, so that it takes no ports of the namespace and anybody may ask it. The URLs
 * that it advertises have to have a port and are used by nobody. Nothing is written through to the disk: it lives as
 * long as the test.
 */
export const etcdCommand = (binary: string, directory: string): string[] => [
  binary,
  ...['--data-dir', join(directory, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn'],
  ...['--name', 'lab', '--initial-cluster', 'lab=http://127.0.0.1:2380'],
  ...['--listen-client-urls', `unix://${etcdSocket(directory)}`],
  ...['--advertise-client-urls', 'http://127.0.0.1:2379'],
  ...['--listen-peer-urls', `unix://${join(directory, 'etcd-peer.sock')}`],
  ...['--initial-advertise-peer-urls', 'http://127.0.0.1:2380'],
  ...['--quota-backend-bytes', `${4 * 2 ** 30}`],
]

/** The command of the API server: authentication by certificates and tokens, authorization as in every cluster. */
export const apiServerCommand = (
  binary: string,
  directory: string,
  record: ControlPlaneRecord,
  { ca, serving, signing }: CredentialStore,
): string[] => [
  binary,
  ...['--etcd-servers', `unix://${etcdSocket(directory)}`],
  ...['--bind-address', record.address, '--advertise-address', record.address],
  ...['--secure-port', `${record.port}`],
  ...['--service-cluster-ip-range', record.serviceCIDRs.join(',')],
  ...['--service-node-port-range', record.nodePorts],
  ...['--tls-cert-file', serving.certificate, '--tls-private-key-file', serving.key],
  ...['--client-ca-file', ca],
  ...['--service-account-issuer', tokenIssuer],
  ...['--service-account-key-file', signing.publicKey],
  ...['--service-account-signing-key-file', signing.key],
  ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
  '--allow-privileged',
  ...record.apiServerArguments,
]

export const apiServerUrl = ({ address, port }: ControlPlaneRecord): string =>
  `https://${isIPv6(address) ? `[${address}]` : address}:${port}`

/** POST to etcd's own JSON interface. Throws io. */
export function askEtcd(directory: string, path: string, body: unknown): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const options = { socketPath: etcdSocket(directory), path, method: 'POST', headers, timeout: 30_000 }
  const asked = request(options, response => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', reject)
    response.on('end', () => {
      const said = Buffer.concat(pieces).toString()
      if (response.statusCode === 200) resolve(JSON.parse(said))
      else reject(new KpngError('io', `etcd ${path}: ${response.statusCode} ${said.trim()}`))
    })
  })
  asked.on('timeout', () => asked.destroy(new Error('no answer within half a minute')))
  asked.on('error', reason => reject(KpngError.from(reason, 'io', `etcd ${path}`)))
  asked.end(text)
  return promise
}

/** Tries until `attempt` gives true. Throws io when the time is up, or what `attempt` throws. */
export async function until(attempt: () => Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await attempt())) {
    if (performance.now() > deadline) throw new KpngError('io', `${what} within ${timeoutMs / 1000} s`)
    await sleep(25)
  }
}
