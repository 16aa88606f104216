import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { KpngError } from '@kpng/api'
import { load } from 'js-yaml'
import { isRecord } from '../../objects/fields.ts'
import { type ClusterAccess, isLoopback, type Material } from './cluster-access.ts'

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface ClusterAccessOptions {
  /** A kubeconfig; default: those that KUBECONFIG names, else (without a server) the pod's service account. */
  readonly kubeconfig?: string | undefined
  /** The API server's URL instead of the configured one. */
  readonly server?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where a pod finds its service account. */
  readonly serviceAccountDir?: string
}

/** Finds out how to reach the API server. Throws `usage` with what is missing or cannot be done. */
export function clusterAccess(options: ClusterAccessOptions): ClusterAccess {
  const { env = process.env } = options
  const files =
    options.kubeconfig !== undefined
      ? [options.kubeconfig]
      : (env.KUBECONFIG ?? '').split(':').filter(file => file !== '' && existsSync(file))
  const server = options.server === undefined || options.server === '' ? undefined : options.server
  const access =
    files.length > 0
      ? fromFiles(files, server)
      : server !== undefined
        ? { server: parseServer(server, '--server') }
        : inCluster(env, options.serviceAccountDir ?? SERVICE_ACCOUNT)
  refuseClearText(access, server !== undefined)
  return access
}

/** As every pod has it. */
function inCluster(env: Readonly<Record<string, string | undefined>>, directory: string): ClusterAccess {
  const host = env.KUBERNETES_SERVICE_HOST
  const port = env.KUBERNETES_SERVICE_PORT
  if (!host || !port)
    throw new KpngError(
      'usage',
      'kpng kube: no API server: give --kubeconfig or --server, set KUBECONFIG, or run in a pod',
    )
  const address = host.includes(':') ? `[${host}]` : host
  return {
    server: parseServer(`https://${address}:${port}`, 'KUBERNETES_SERVICE_HOST and _PORT'),
    certificateAuthority: { file: `${directory}/ca.crt` },
    token: { file: `${directory}/token` },
  }
}

type Json = Readonly<Record<string, unknown>>

/** A named entry of a kubeconfig, with the directory that its relative paths start from. */
interface Entry {
  readonly where: string
  readonly directory: string
  readonly fields: Json
}

/** Several files count as one: of each entry, and of current-context, the first. */
function fromFiles(files: readonly string[], server: string | undefined): ClusterAccess {
  const configs = files.map(file => ({ file, json: readYaml(file) }))
  const find = (list: string, inner: string, name: string): Entry => {
    for (const { file, json } of configs) {
      const entries = Array.isArray(json[list]) ? json[list] : []
      const found = entries.find(it => isRecord(it) && it.name === name)
      const fields = isRecord(found) ? found[inner] : undefined
      if (isRecord(fields))
        return { where: `${file}: ${inner} "${name}"`, directory: dirname(resolve(file)), fields }
    }
    throw new KpngError('usage', `${files.join(':')}: there is no ${inner} named "${name}"`)
  }
  const current = configs
    .map(({ json }) => json['current-context'])
    .find(it => typeof it === 'string' && it !== '')
  if (typeof current !== 'string')
    throw new KpngError('usage', `${files.join(':')}: no current-context is set`)
  const context = find('contexts', 'context', current)
  const cluster = find('clusters', 'cluster', text(context, 'cluster') ?? '')
  const user = text(context, 'user')
  return {
    ...clusterPart(cluster, server),
    ...(user !== undefined && userPart(find('users', 'user', user))),
  }
}

function clusterPart(cluster: Entry, override: string | undefined): ClusterAccess {
  refuse(cluster, ['proxy-url'])
  const server = override ?? text(cluster, 'server')
  if (server === undefined) throw new KpngError('usage', `${cluster.where}: server is missing`)
  const certificateAuthority = material(cluster, 'certificate-authority')
  const tlsServerName = text(cluster, 'tls-server-name')
  return {
    server: parseServer(server, cluster.where),
    ...(certificateAuthority && { certificateAuthority }),
    ...(tlsServerName !== undefined && { tlsServerName }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true && { insecureSkipTlsVerify: true }),
  }
}

function userPart(user: Entry): Partial<ClusterAccess> {
  refuse(user, ['exec', 'auth-provider', 'as', 'as-uid', 'as-groups', 'username', 'password'])
  const clientCertificate = material(user, 'client-certificate')
  const clientKey = material(user, 'client-key')
  if ((clientCertificate === undefined) !== (clientKey === undefined))
    throw new KpngError('usage', `${user.where}: client-certificate and client-key belong together`)
  const tokenFile = text(user, 'tokenFile')
  const tokenText = text(user, 'token')
  // As client-go: the file is what rotates, so it counts.
  const token =
    tokenFile !== undefined
      ? { file: resolve(user.directory, tokenFile) }
      : tokenText !== undefined && { text: tokenText }
  return {
    ...(clientCertificate && clientKey && { clientCertificate, clientKey }),
    ...(token && { token }),
  }
}

/** `field-data` (base64) before `field` (a path). */
function material(entry: Entry, field: string): Material | undefined {
  const data = text(entry, `${field}-data`)
  if (data !== undefined) return { text: Buffer.from(data, 'base64').toString('utf8') }
  const file = text(entry, field)
  return file === undefined ? undefined : { file: resolve(entry.directory, file) }
}

/** '' is absent, as in Go. */
function text({ where, fields }: Entry, field: string): string | undefined {
  const value = fields[field] ?? ''
  if (typeof value !== 'string') throw new KpngError('usage', `${where}: ${field} is no text`)
  return value === '' ? undefined : value
}

function refuse({ where, fields }: Entry, names: readonly string[]): void {
  const found = names.find(name => fields[name] !== undefined && fields[name] !== null && fields[name] !== '')
  if (found === undefined) return
  throw new KpngError(
    'usage',
    `${where}: ${found} is not supported yet: use a token, a tokenFile or a client certificate, and no proxy`,
  )
}

function parseServer(server: string, where: string): URL {
  const url = URL.parse(server)
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '') return url
  throw new KpngError(
    'usage',
    `${where}: ${JSON.stringify(server)} is no URL of an API server (https://HOST:PORT)`,
  )
}

/** Without TLS only on this machine, or because somebody said so on the command line; a token never. */
function refuseClearText({ server, token }: ClusterAccess, explicit: boolean): void {
  if (server.protocol === 'https:' || isLoopback(server)) return
  if (token !== undefined)
    throw new KpngError('usage', `${server.href}: a token would be sent without encryption: use https`)
  if (!explicit)
    throw new KpngError(
      'usage',
      `${server.href}: without encryption only to this machine: use https, or say --server`,
    )
}

function readYaml(file: string): Json {
  let json: unknown
  try {
    json = load(readFileSync(file, 'utf8'))
  } catch (reason) {
    throw KpngError.from(reason, 'usage', `cannot read the kubeconfig ${file}`)
  }
  if (!isRecord(json)) throw new KpngError('usage', `${file} is no kubeconfig`)
  return json
}
