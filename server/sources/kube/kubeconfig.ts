import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { KpngError } from '@kpng/api'
import { load } from 'js-yaml'
import { isRecord } from '../../objects/fields.ts'
import { type ClusterAccess, isLoopback } from './cluster-access.ts'
import { parseProxy, proxyFromEnvironment } from './http-proxy.ts'
import { type Entry, type Json, material, text } from './kubeconfig-entry.ts'
import { userPart } from './kubeconfig-user.ts'

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
  // As client-go: what the kubeconfig says goes before the environment.
  const proxy = access.proxy ?? proxyFromEnvironment(access.server, env)
  return proxy === undefined ? access : { ...access, proxy }
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

/** Several files count as one: of each entry, and of current-context, the first. */
function fromFiles(files: readonly string[], server: string | undefined): ClusterAccess {
  const configs = files.map(file => ({ file, json: readYaml(file) }))
  const find = (list: string, inner: string, name: string): Entry => {
    for (const { file, json } of configs) {
      const entries = Array.isArray(json[list]) ? json[list] : []
      const found = entries.find(it => isRecord(it) && it.name === name)
      const fields = isRecord(found) ? found[inner] : undefined
      if (isRecord(fields))
        return { where: `${file}: ${inner} "${name}"`, name, directory: dirname(resolve(file)), fields }
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
  const proxyUrl = text(cluster, 'proxy-url')
  const config = execConfig(cluster)
  const server = override ?? text(cluster, 'server')
  if (server === undefined) throw new KpngError('usage', `${cluster.where}: server is missing`)
  const certificateAuthority = material(cluster, 'certificate-authority')
  const tlsServerName = text(cluster, 'tls-server-name')
  return {
    server: parseServer(server, cluster.where),
    ...(certificateAuthority && { certificateAuthority }),
    ...(tlsServerName !== undefined && { tlsServerName }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true && { insecureSkipTlsVerify: true }),
    ...(proxyUrl !== undefined && { proxy: parseProxy(proxyUrl, `${cluster.where}: proxy-url`) }),
    ...(config !== undefined && { execConfig: config }),
  }
}

/** What the exec plugins of this cluster's users are told. */
function execConfig({ fields }: Entry): unknown {
  const extensions = Array.isArray(fields.extensions) ? fields.extensions : []
  const found = extensions.find(it => isRecord(it) && it.name === 'client.authentication.k8s.io/exec')
  return isRecord(found) ? found.extension : undefined
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
function refuseClearText({ server, token, login }: ClusterAccess, explicit: boolean): void {
  if (server.protocol === 'https:' || isLoopback(server)) return
  if (token !== undefined || login !== undefined)
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
