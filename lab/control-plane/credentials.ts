import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateAuthority, type KeyPair } from './certificates.ts'
import { type Credentials, kubeconfig } from './kubeconfig.ts'
import { type ServiceAccount, signToken } from './token.ts'

const serverNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost']

/** The keys, certificates and kubeconfigs of one control plane, in its directory. */
export class CredentialStore {
  readonly #directory: string
  readonly #url: string
  readonly #authority: CertificateAuthority
  #kubeconfigs = 0

  /** Of a control plane for which `create` has made them. `url`: of the API server, for kubeconfigs. */
  constructor(directory: string, url: string) {
    this.#directory = directory
    this.#url = url
    this.#authority = new CertificateAuthority(join(directory, 'pki'))
  }

  /** Makes all that the servers need, and the administrator's kubeconfig. `address`: what the API server listens on. */
  async create(address: string): Promise<void> {
    mkdirSync(this.#authority.directory, { recursive: true, mode: 0o700 })
    await CertificateAuthority.create(this.#authority.directory)
    const [admin] = await Promise.all([
      this.#authority.client('admin', { commonName: 'admin', organizations: ['system:masters'] }),
      this.#authority.server('kube-apiserver', serverNames, [address, '127.0.0.1', '::1']),
      this.#authority.signingKey('service-account'),
    ])
    this.#write(this.adminKubeconfig, admin)
  }

  /** Path of the authority's certificate. */
  get ca(): string {
    return this.#authority.certificate
  }

  get admin(): KeyPair {
    return this.#pair('admin')
  }

  get serving(): KeyPair {
    return this.#pair('kube-apiserver')
  }

  /** Paths of the key that signs the tokens of service accounts, and of what verifies them. */
  get signing(): { readonly key: string; readonly publicKey: string } {
    const { directory } = this.#authority
    return { key: join(directory, 'service-account.key'), publicKey: join(directory, 'service-account.pub') }
  }

  get adminKubeconfig(): string {
    return join(this.#directory, 'admin.kubeconfig')
  }

  /** Path of a new kubeconfig with a certificate. */
  async kubeconfigForUser(user: string, groups: readonly string[]): Promise<string> {
    const stem = this.#newStem()
    const pair = await this.#authority.client(stem, { commonName: user, organizations: groups })
    return this.#write(join(this.#directory, `${stem}.kubeconfig`), pair)
  }

  /** Path of a new kubeconfig. */
  kubeconfigWith(credentials: Credentials): string {
    return this.#write(join(this.#directory, `${this.#newStem()}.kubeconfig`), credentials)
  }

  tokenOf(account: ServiceAccount, lifetimeSeconds: number): string {
    const now = Math.floor(Date.now() / 1_000)
    return signToken(readFileSync(this.signing.key, 'utf8'), account, { now, lifetime: lifetimeSeconds })
  }

  #newStem(): string {
    return `client-${process.pid}-${this.#kubeconfigs++}`
  }

  #pair(stem: string): KeyPair {
    const { directory } = this.#authority
    return { certificate: join(directory, `${stem}.crt`), key: join(directory, `${stem}.key`) }
  }

  #write(path: string, credentials: Credentials): string {
    writeFileSync(path, kubeconfig({ url: this.#url, ca: this.ca }, credentials), { mode: 0o600 })
    return path
  }
}
