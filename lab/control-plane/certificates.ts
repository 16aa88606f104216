import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { runCommand } from '../run-command.ts'

/** Paths of a certificate and its key, both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

interface Subject {
  readonly commonName: string
  /** Kubernetes reads these as groups. */
  readonly organizations?: readonly string[]
}

/** A certificate authority of a control plane's own, in a directory. */
export class CertificateAuthority {
  readonly directory: string

  /** One that `create` has made. */
  constructor(directory: string) {
    this.directory = directory
  }

  static async create(directory: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(directory)
    const { certificate, key } = authority.#files('ca')
    await openssl([...newKey(key), '-out', certificate, '-subj', '/CN=kpng-lab', '-days', days])
    return authority
  }

  get certificate(): string {
    return this.#files('ca').certificate
  }

  /** For a server with these names (DNS) and addresses. */
  server(stem: string, names: readonly string[], addresses: readonly string[]): Promise<KeyPair> {
    const alternatives = [...names.map(name => `DNS:${name}`), ...addresses.map(address => `IP:${address}`)]
    return this.#sign(stem, { commonName: stem }, [
      'extendedKeyUsage=serverAuth',
      `subjectAltName=${alternatives.join(',')}`,
    ])
  }

  client(stem: string, subject: Subject): Promise<KeyPair> {
    return this.#sign(stem, subject, ['extendedKeyUsage=clientAuth'])
  }

  /** A key for signing tokens, and its public half beside it. */
  async signingKey(stem: string): Promise<{ readonly key: string; readonly publicKey: string }> {
    const { key } = this.#files(stem)
    const publicKey = join(this.directory, `${stem}.pub`)
    await openssl(['genpkey', ...curve, '-out', key])
    await openssl(['pkey', '-in', key, '-pubout', '-out', publicKey])
    return { key, publicKey }
  }

  async #sign(stem: string, subject: Subject, extensions: readonly string[]): Promise<KeyPair> {
    const authority = this.#files('ca')
    const pair = this.#files(stem)
    await openssl([
      ...newKey(pair.key),
      ...['-out', pair.certificate, '-subj', subjectText(subject), '-days', days],
      ...['-CA', authority.certificate, '-CAkey', authority.key],
      ...['basicConstraints=CA:FALSE', ...extensions].flatMap(extension => ['-addext', extension]),
    ])
    return pair
  }

  #files(stem: string): KeyPair {
    return { certificate: join(this.directory, `${stem}.crt`), key: join(this.directory, `${stem}.key`) }
  }
}

const days = '3650'
const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
const newKey = (key: string): string[] => [
  ...['req', '-x509', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ...['-noenc', '-keyout', key],
]

/** The slash parts them, the plus and the equals sign mean something: all are escaped. */
const subjectText = ({ commonName, organizations = [] }: Subject): string =>
  [...organizations.map(name => ['O', name]), ['CN', commonName]]
    .map(([kind, text]) => `/${kind}=${text?.replace(/[\\/+=]/g, '\\$&')}`)
    .join('')

async function openssl(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runCommand(['openssl', ...args])
  if (exitCode !== 0) throw new KpngError('io', `openssl ${args[0]}: ${stderr.trim()}`)
}
