import { readFile } from 'node:fs/promises'
import { ApiFailure } from './api-failure.ts'
import type { LoginSource } from './login.ts'

/** Text that is known, or in a file that is read when it is needed: files rotate. */
export type Material = { readonly text: string } | { readonly file: string }

/** Where the API server is and how it is spoken to; the outcome of a kubeconfig. */
export interface ClusterAccess {
  /** http or https; a path is a prefix of every request's. */
  readonly server: URL
  /** PEM. Default: the certificate authorities that Node trusts. */
  readonly certificateAuthority?: Material
  /** The name in the server's certificate, where it is not that of the URL. */
  readonly tlsServerName?: string
  /** Whoever answers is believed. */
  readonly insecureSkipTlsVerify?: boolean
  readonly clientCertificate?: Material
  readonly clientKey?: Material
  readonly token?: Material
  /** Whoever hands out a token or a client certificate, where there is no token. */
  readonly login?: LoginSource
  /** The server is asked to take us for somebody else. */
  readonly impersonation?: Impersonation
  /** Through it instead of directly: http, https or socks5. */
  readonly proxy?: URL
  /** The cluster's extension client.authentication.k8s.io/exec: for exec plugins that want to know the cluster. */
  readonly execConfig?: unknown
}

export interface Impersonation {
  readonly user: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** Throws `unreachable`, for without it there is no speaking to the server. */
export async function readMaterial(material: Material): Promise<string> {
  if ('text' in material) return material.text
  try {
    return await readFile(material.file, 'utf8')
  } catch (reason) {
    throw new ApiFailure('unreachable', `cannot read ${material.file}`, { cause: reason })
  }
}

/** The machine itself: nobody listens in. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
