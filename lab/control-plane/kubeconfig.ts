import { readFileSync } from 'node:fs'

export type Credentials =
  | { readonly certificate: string; readonly key: string }
  | { readonly token: string }
  /** Read by the client each time it needs it. */
  | { readonly tokenFile: string }

interface Cluster {
  readonly url: string
  /** Path of a PEM file. */
  readonly ca: string
}

/** The text of a kubeconfig (JSON, which is YAML) that needs no other file, unless the token is in one. */
export function kubeconfig({ url, ca }: Cluster, credentials: Credentials): string {
  const base64 = (path: string): string => readFileSync(path).toString('base64')
  const user =
    'certificate' in credentials
      ? {
          'client-certificate-data': base64(credentials.certificate),
          'client-key-data': base64(credentials.key),
        }
      : credentials
  const name = 'lab'
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server: url, 'certificate-authority-data': base64(ca) } }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    },
    undefined,
    1,
  )}\n`
}
