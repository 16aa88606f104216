import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { KpngError } from '@kpng/api'
import { logTail, startDaemon } from '../daemon.ts'
import { enterArgv, type LoosePlace } from '../place.ts'
import { identify, isAlive, killProcesses, type ProcessIdentity } from '../process-identity.ts'
import { runCommand } from '../run-command.ts'
import { ApiClient, type ApiResponse, type RequestOptions } from './api-client.ts'
import { controlPlaneBinaries } from './binaries.ts'
import { CredentialStore } from './credentials.ts'
import { makeOwnNetns } from './own-netns.ts'
import { apiServerCommand, apiServerUrl, askEtcd, etcdCommand, until } from './processes.ts'
import { type ControlPlaneRecord, readRecord, writeRecord } from './record.ts'
import { removeControlPlane, removeOrphans, temporaryPrefix } from './remove.ts'

export interface ControlPlaneOptions {
  /**
   * Name below /run/netns where it runs; the address must be there. Default: one of its own, with the address, called
   * as the directory.
   */
  readonly netns?: string
  /** What the API server listens on and what the endpoint of default/kubernetes is; not loopback. */
  readonly address?: string
  /** Default: 6443. */
  readonly port?: number
  /** One of each family at most. Default: 10.96.0.0/16 and fd00:10:96::/112. */
  readonly serviceCIDRs?: readonly string[]
  /** `first-last`. Default: 30000-32767. */
  readonly nodePorts?: string
  /** cgroup2 directory of its processes. Default: this process's. */
  readonly cgroup?: string
  /** More flags of kube-apiserver; one given twice counts as the last says. */
  readonly apiServerArguments?: readonly string[]
  /** Where its files are. Default: a temporary directory. */
  readonly directory?: string
  /**
   * It goes on when this process ends, and is removed by whoever opens it and disposes of it. Default: the kernel
   * ends it with this process, and the next start removes what is left.
   */
  readonly outlives?: boolean
}

/** Who a kubeconfig is for. */
export type Identity =
  | { readonly user: string; readonly groups?: readonly string[] }
  | {
      /** It must exist. */
      readonly serviceAccount: string
      readonly namespace: string
      /** Default: an hour. */
      readonly lifetimeSeconds?: number
    }

export interface KubectlOptions {
  readonly input?: string
  /** Default: the administrator's. */
  readonly kubeconfig?: string
}

const defaultAddress = '172.31.255.1'
const readyTimeoutMs = 90_000

/** A real etcd and a real API server (RBAC, service account tokens, ServiceCIDRs), without controllers. */
export class ControlPlane implements AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly netns: string
  /** Path of the certificate authority's certificate, PEM. */
  readonly ca: string
  /** Path of a kubeconfig with all rights. */
  readonly adminKubeconfig: string
  readonly #record: ControlPlaneRecord
  readonly #credentials: CredentialStore
  #client: ApiClient | undefined

  private constructor(directory: string, record: ControlPlaneRecord) {
    this.directory = directory
    this.#record = record
    this.url = apiServerUrl(record)
    this.netns = record.netns
    this.#credentials = new CredentialStore(directory, this.url)
    this.ca = this.#credentials.ca
    this.adminKubeconfig = this.#credentials.adminKubeconfig
  }

  /** Ready on return. What former runs have left, whose process has died, is removed first. Throws unsupported, io. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    controlPlaneBinaries()
    await removeOrphans()
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), temporaryPrefix))
    const { address = defaultAddress, netns } = options
    const record: ControlPlaneRecord = {
      version: 1,
      owner: options.outlives === true ? null : (identify(process.pid) ?? null),
      netns: netns ?? basename(directory),
      ownsNetns: netns === undefined,
      cgroup: options.cgroup ?? null,
      address,
      port: options.port ?? 6443,
      serviceCIDRs: options.serviceCIDRs ?? ['10.96.0.0/16', 'fd00:10:96::/112'],
      nodePorts: options.nodePorts ?? '30000-32767',
      apiServerArguments: options.apiServerArguments ?? [],
    }
    writeRecord(directory, record)
    const controlPlane = new ControlPlane(directory, record)
    try {
      if (record.ownsNetns) await makeOwnNetns(record.netns, address)
      await Promise.all([controlPlane.#credentials.create(address), controlPlane.#startEtcd()])
      await controlPlane.startApiServer()
      return controlPlane
    } catch (reason) {
      await controlPlane[Symbol.asyncDispose]()
      throw reason
    }
  }

  /** One that another process has started. undefined when there is none in that directory. */
  static open(directory: string): ControlPlane | undefined {
    const record = readRecord(directory)
    return record === undefined ? undefined : new ControlPlane(directory, record)
  }

  /** Does nothing when it runs. Ready on return. */
  async startApiServer(): Promise<void> {
    const running = this.#record.apiServer
    if (running === undefined || !isAlive(running)) {
      const binary = controlPlaneBinaries()['kube-apiserver']
      const command = apiServerCommand(binary, this.directory, this.#record, this.#credentials)
      this.#record.apiServer = await this.#startDaemon(command, 'kube-apiserver')
      writeRecord(this.directory, this.#record)
    }
    await until(() => this.#isReady(), readyTimeoutMs, 'the API server is not ready')
  }

  /** As a crash would: connections are cut, nothing is said to anybody. */
  async killApiServer(): Promise<void> {
    const { apiServer } = this.#record
    if (apiServer !== undefined) await killProcesses([apiServer])
  }

  /** Killed and started again: caches of the server begin anew. Ready on return. */
  async restartApiServer(): Promise<void> {
    await this.killApiServer()
    await this.startApiServer()
  }

  /**
   * Etcd forgets all revisions but the last, which it gives. The API server itself still remembers recent ones for
   * watches: they are refused with 410 once it has been restarted, pages of lists at once.
   */
  async compactEtcd(): Promise<number> {
    const answer = await askEtcd(this.directory, '/v3/kv/range', { key: 'AA==', count_only: true })
    const revision = revisionOf(answer)
    await askEtcd(this.directory, '/v3/kv/compaction', { revision: `${revision}`, physical: true })
    return revision
  }

  /** A request as administrator. Throws io where the server does not answer; a refusal is an answer. */
  request(method: string, path: string, options?: RequestOptions): Promise<ApiResponse> {
    return this.#adminClient().request(method, path, options)
  }

  /**
   * Gives each line of a watch, as administrator, until the server ends it, or says nothing for that time: throws io
   * then. A refusal is an answer.
   */
  watch(path: string, onLine: (line: string) => void, timeoutMs = 600_000): Promise<ApiResponse> {
    return this.#adminClient().watch(path, onLine, timeoutMs)
  }

  /** Runs kubectl beside the API server and gives its standard output. Throws io with what it said. */
  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const argv = enterArgv({ ...this.place, cgroup: null }, this.kubectlArgv(args, options.kubeconfig))
    const { exitCode, stdout, stderr } = await runCommand(argv, { input: options.input ?? '' })
    if (exitCode === 0) return stdout
    throw new KpngError('io', `kubectl ${args.join(' ')}: exit ${exitCode}: ${stderr.trim()}`)
  }

  /** Where kubectl reaches the API server. */
  get place(): LoosePlace {
    return { netns: this.netns, cgroup: this.#record.cgroup }
  }

  /** The command line of a kubectl, to be run there. */
  kubectlArgv(args: readonly string[], config = this.adminKubeconfig): string[] {
    const cache = join(this.directory, 'kubectl-cache')
    return [controlPlaneBinaries().kubectl, '--kubeconfig', config, '--cache-dir', cache, ...args]
  }

  /** Writes a kubeconfig and gives its path; each call makes another. Throws not-found. */
  async kubeconfigFor(identity: Identity): Promise<string> {
    if ('user' in identity)
      return await this.#credentials.kubeconfigForUser(identity.user, identity.groups ?? [])
    const { namespace, serviceAccount, lifetimeSeconds } = identity
    const token = await this.tokenFor(namespace, serviceAccount, lifetimeSeconds)
    return this.#credentials.kubeconfigWith({ token })
  }

  /** A kubeconfig that names a file for the token: write the file anew (`writeToken`) to rotate it. */
  kubeconfigWithTokenFile(tokenFile: string): string {
    return this.#credentials.kubeconfigWith({ tokenFile })
  }

  /** Puts a new token of a service account into a file, by rename. */
  async writeToken(
    file: string,
    namespace: string,
    serviceAccount: string,
    lifetimeSeconds?: number,
  ): Promise<void> {
    writeFileSync(`${file}.new`, await this.tokenFor(namespace, serviceAccount, lifetimeSeconds), {
      mode: 0o600,
    })
    renameSync(`${file}.new`, file)
  }

  /**
   * A token bound to a service account, as TokenRequest makes it, of any lifetime, also a negative one: the API server
   * forgives a minute, and for ten seconds it remembers a token that it has accepted. Throws not-found.
   */
  async tokenFor(namespace: string, name: string, lifetimeSeconds = 3_600): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`
    const { status, body } = await this.request('GET', path)
    const uid = (body as { metadata?: { uid?: string } }).metadata?.uid
    if (status !== 200 || uid === undefined)
      throw new KpngError('not-found', `service account ${namespace}/${name}: ${status}`)
    return this.#credentials.tokenOf({ namespace, name, uid }, lifetimeSeconds)
  }

  /** Lets go of what this process holds; the control plane goes on. */
  async close(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]()
    this.#client = undefined
  }

  /** Ends it and removes all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    await removeControlPlane(this.directory)
  }

  #adminClient(): ApiClient {
    this.#client ??= new ApiClient({
      url: this.url,
      netns: this.netns,
      ca: this.ca,
      ...this.#credentials.admin,
    })
    return this.#client
  }

  async #startEtcd(): Promise<void> {
    const command = etcdCommand(controlPlaneBinaries().etcd, this.directory)
    const etcd = await this.#startDaemon(command, 'etcd')
    this.#record.etcd = etcd
    writeRecord(this.directory, this.#record)
    const answers = async (): Promise<boolean> => {
      this.#requireAlive(etcd, 'etcd')
      return await askEtcd(this.directory, '/v3/kv/range', { key: 'AA==' }).then(
        () => true,
        () => false,
      )
    }
    await until(answers, readyTimeoutMs, 'etcd does not answer')
  }

  #startDaemon(command: readonly string[], name: string): Promise<ProcessIdentity> {
    // The kernel ends it with the process that starts it, whatever ends that one.
    const bound = this.#record.owner === null ? [] : ['setpriv', '--pdeathsig', 'KILL', '--']
    return startDaemon([...bound, ...command], join(this.directory, `${name}.log`), {
      place: this.place,
    })
  }

  async #isReady(): Promise<boolean> {
    if (this.#record.apiServer !== undefined) this.#requireAlive(this.#record.apiServer, 'kube-apiserver')
    return await this.request('GET', '/readyz', { timeoutMs: 5_000 }).then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  #requireAlive(process: ProcessIdentity, name: 'etcd' | 'kube-apiserver'): void {
    if (isAlive(process)) return
    const said = logTail(join(this.directory, `${name}.log`))
    throw new KpngError('io', `${name} has ended; its log ends: ${said}`)
  }
}

/** The revision that an answer of etcd was made at. */
function revisionOf(answer: unknown): number {
  const revision = (answer as { header?: { revision?: string } }).header?.revision
  if (revision === undefined) throw new KpngError('io', 'etcd did not say its revision')
  return Number(revision)
}
