import type { ClusterAccess } from './cluster-access.ts'

/** A command of the user's that hands out credentials, as `exec` in a kubeconfig. */
export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  /** In addition to our own environment. */
  readonly env: ReadonlyArray<{ readonly name: string; readonly value: string }>
  /** What to tell users who lack the command; may be ''. */
  readonly installHint: string
  readonly provideClusterInfo: boolean
}

/** Who hands out credentials that do not last. */
export type LoginSource =
  | { readonly kind: 'exec'; readonly user: string; readonly plugin: ExecPlugin }
  | { readonly kind: 'oidc'; readonly user: string; readonly config: Readonly<Record<string, string>> }

export interface Credentials {
  readonly token: string | undefined
  /** PEM, both. */
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined
}

/** Credentials as they are asked for. */
export interface Login extends Disposable {
  /** Those to use now. Throws `unreachable`, naming the user and who was asked. */
  current(): Promise<Credentials>
  /** The server does not take them: others are fetched. */
  refuse(): void
}

/** Loads what it takes: whoever logs in by other means pays nothing for it. */
export async function openLogin(source: LoginSource, access: ClusterAccess): Promise<Login> {
  if (source.kind === 'oidc') {
    const { OidcLogin } = await import('./oidc-login.ts')
    return new OidcLogin(source)
  }
  const { ExecLogin } = await import('./exec-login.ts')
  return new ExecLogin(source, access)
}
