import { resolve } from 'node:path'
import { KpngError } from '@kpng/api'
import { isRecord } from '../../objects/fields.ts'
import type { ClusterAccess, Impersonation } from './cluster-access.ts'
import { type Entry, type Json, material, says, text, texts } from './kubeconfig-entry.ts'
import type { ExecPlugin, LoginSource } from './login.ts'

type UserAccess = Omit<ClusterAccess, 'server'>

/** What a user of a kubeconfig proves who they are with. Throws usage. */
export function userPart(user: Entry): UserAccess {
  const given = ['username', 'password'].find(it => says(user, it))
  if (given !== undefined)
    throw new KpngError(
      'usage',
      `${user.where}: ${given}: no API server since Kubernetes 1.19 takes passwords: use a token, a client certificate or an exec plugin`,
    )
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
  const login = loginOf(user)
  const impersonation = impersonationOf(user)
  return {
    ...(clientCertificate && clientKey && { clientCertificate, clientKey }),
    ...(token && { token }),
    // As client-go: who has a token already is not asked to log in.
    ...(login && !token && { login }),
    ...(impersonation && { impersonation }),
  }
}

function loginOf(user: Entry): LoginSource | undefined {
  const { exec, 'auth-provider': provider } = user.fields
  if (isRecord(exec) && isRecord(provider))
    throw new KpngError('usage', `${user.where}: exec and auth-provider exclude each other`)
  if (isRecord(exec)) return { kind: 'exec', user: user.name, plugin: execPlugin(user, exec) }
  if (isRecord(provider)) return oidc(user, provider)
  return undefined
}

function execPlugin(user: Entry, fields: Json): ExecPlugin {
  const exec: Entry = { ...user, where: `${user.where}: exec`, fields }
  const { where, directory } = exec
  const apiVersion = text(exec, 'apiVersion') ?? ''
  if (!/^client\.authentication\.k8s\.io\/(v1|v1beta1)$/.test(apiVersion))
    throw new KpngError(
      'usage',
      `${where}: apiVersion ${JSON.stringify(apiVersion)} is neither client.authentication.k8s.io/v1 nor v1beta1`,
    )
  const command = text(exec, 'command')
  if (command === undefined) throw new KpngError('usage', `${where}: command is missing`)
  const mode = text(exec, 'interactiveMode') ?? 'IfAvailable'
  if (mode === 'Always')
    throw new KpngError('usage', `${where}: ${command} is interactiveMode Always, and there is no terminal`)
  if (!['Never', 'IfAvailable'].includes(mode))
    throw new KpngError('usage', `${where}: interactiveMode ${mode} is not Never, IfAvailable or Always`)
  return {
    apiVersion,
    // A bare name is looked for in PATH.
    command: command.includes('/') ? resolve(directory, command) : command,
    args: texts(exec, 'args'),
    env: environment(exec),
    installHint: text(exec, 'installHint') ?? '',
    provideClusterInfo: fields.provideClusterInfo === true,
  }
}

function environment({ where, fields }: Entry): ExecPlugin['env'] {
  const list = fields.env ?? []
  const good =
    Array.isArray(list) &&
    list.every(it => isRecord(it) && typeof it.name === 'string' && typeof it.value === 'string')
  if (!good) throw new KpngError('usage', `${where}: env is no list of names and values`)
  return list.map(({ name, value }) => ({ name, value }))
}

function oidc(user: Entry, fields: Json): LoginSource {
  const provider: Entry = { ...user, where: `${user.where}: auth-provider`, fields }
  const name = text(provider, 'name') ?? ''
  const config = fields.config ?? {}
  if (name !== 'oidc')
    throw new KpngError(
      'usage',
      `${provider.where} "${name}" is no more: use an exec plugin (only oidc is left)`,
    )
  if (!isRecord(config) || !Object.values(config).every(it => typeof it === 'string'))
    throw new KpngError('usage', `${provider.where}: config is no table of texts`)
  if (!config['id-token']) throw new KpngError('usage', `${provider.where}: config: id-token is missing`)
  return { kind: 'oidc', user: user.name, config: config as Readonly<Record<string, string>> }
}

/** Throws usage. */
function impersonationOf(user: Entry): Impersonation | undefined {
  const name = text(user, 'as')
  const uid = text(user, 'as-uid')
  const groups = texts(user, 'as-groups')
  const extra = extraOf(user)
  if (name !== undefined) return { user: name, ...(uid !== undefined && { uid }), groups, extra }
  if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return undefined
  throw new KpngError('usage', `${user.where}: as-uid, as-groups and as-user-extra need as`)
}

function extraOf(user: Entry): Impersonation['extra'] {
  const fields = user.fields['as-user-extra'] ?? {}
  if (!isRecord(fields)) throw new KpngError('usage', `${user.where}: as-user-extra is no table`)
  const extra: Entry = { ...user, where: `${user.where}: as-user-extra`, fields }
  return Object.fromEntries(Object.keys(fields).map(name => [name, texts(extra, name)]))
}
