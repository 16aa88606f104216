import { readFile } from 'node:fs/promises'
import { ApiFailure } from './api-failure.ts'

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
