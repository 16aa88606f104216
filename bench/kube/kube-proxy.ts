import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, hasEnded } from '../../test/e2e/end-process.ts'
import { samplesOf } from '../../test/e2e/samples.ts'
import { endpointPort } from './cluster.ts'
import type { ColdStart, ExpectedChange, MeasuredProxy } from './proxy.ts'
import type { ProxyHost } from './proxy-host.ts'
import { ChildrenPeak, cpuSeconds } from './usage.ts'

const metricsPort = 10_249
const coldTimeoutMs = 600_000
const changeTimeoutMs = 120_000
const lastSync = 'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}'

export interface KubeProxyOptions {
  readonly name: string
  /** Path of the program. */
  readonly program: string
  /** Path of nft-watch, compiled. */
  readonly nftWatch: string
  readonly kubeconfig: string
  readonly services: number
  /** For its configuration and its log. */
  readonly directory: string
  /** As kube-proxy's configuration has it; undefined leaves it out. 0 counts as left out there. */
  readonly minSyncPeriod?: string
}

/** The real kube-proxy in nftables mode, which begins with nothing in its namespace. */
export class KubeProxy implements MeasuredProxy {
  readonly name: string
  readonly #host: ProxyHost
  readonly #options: KubeProxyOptions
  #child: ChildProcess | undefined
  #watch: { readonly process: ChildProcessWithoutNullStreams; readonly lines: Interface } | undefined
  #childrenPeak: ChildrenPeak | undefined

  constructor(host: ProxyHost, options: KubeProxyOptions) {
    this.name = options.name
    this.#host = host
    this.#options = options
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get #logPath(): string {
    return join(this.#options.directory, `${this.name}.log`)
  }

  async start(): Promise<ColdStart> {
    const { directory, program } = this.#options
    const config = join(directory, `${this.name}.json`)
    writeFileSync(config, JSON.stringify(this.#configuration()))
    const startedAt = Date.now()
    const child = this.#host.host.start([program, '--config', config])
    this.#child = child
    child.stderr?.pipe(createWriteStream(this.#logPath))
    this.#childrenPeak = new ChildrenPeak(this.pid)
    for (;;) {
      await sleep(50)
      this.#check(Date.now() - startedAt < coldTimeoutMs)
      const metrics = await this.#metrics().catch(() => new Map<string, number>())
      const syncedAt = (metrics.get(lastSync) ?? 0) * 1_000
      if (syncedAt < startedAt) continue
      const cpu = cpuSeconds(this.pid)
      const programmed = await this.#programmedServices()
      if (programmed < this.#options.services) continue
      this.#startWatch()
      return {
        coldMs: Math.round(syncedAt - startedAt),
        cpuSeconds: cpu,
        details: { frontends: programmed, largestChildMiB: this.#childrenPeak.mebibytes },
      }
    }
  }

  #configuration(): object {
    const { kubeconfig, minSyncPeriod } = this.#options
    return {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      hostnameOverride: this.#host.nodeName,
      clientConnection: { kubeconfig },
      // The machine's own limits are not to be touched.
      conntrack: { maxPerCore: 0, min: 0 },
      metricsBindAddress: `${this.#host.address}:${metricsPort}`,
      healthzBindAddress: `${this.#host.address}:10256`,
      ...(minSyncPeriod !== undefined && { nftables: { minSyncPeriod } }),
    }
  }

  async #metrics(): Promise<Map<string, number>> {
    const response = await fetch(`http://${this.#host.address}:${metricsPort}/metrics`)
    return samplesOf(await response.text(), /^kubeproxy_/)
  }

  /** How many ClusterIPs nftables knows. */
  async #programmedServices(): Promise<number> {
    const map = await this.#nft(['list', 'map', 'ip', 'kube-proxy', 'service-ips'])
    return map.split('goto service-').length - 1
  }

  async #nft(args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#host.host.run(['nft', ...args], undefined, 300_000)
    if (exitCode !== 0) throw new Error(`nft ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  #startWatch(): void {
    const process = this.#host.host.startWithInput([this.#options.nftWatch])
    this.#watch = { process, lines: createInterface({ input: process.stdout }) }
  }

  async expect({ newAddress }: ExpectedChange): Promise<{ carriedNs: Promise<bigint> }> {
    if (this.#watch === undefined) throw new Error('kube-proxy does not run')
    const { process, lines } = this.#watch
    const armed = once(lines, 'line')
    process.stdin.write(`${newAddress} ${endpointPort}\n`)
    await armed
    const signal = AbortSignal.timeout(changeTimeoutMs)
    return { carriedNs: once(lines, 'line', { signal }).then(([line]: string[]) => BigInt(line ?? '')) }
  }

  async verify(expected: ReadonlyMap<string, readonly string[]>): Promise<void> {
    // All of it at once: nft reads the whole table for each chain that it is asked for.
    const table = await this.#nft(['list', 'table', 'ip', 'kube-proxy'])
    const chains = chainsByClusterIP(table)
    const rules = rulesByChain(table)
    for (const [clusterIP, addresses] of expected) {
      const chain = chains.get(clusterIP)
      if (chain === undefined) throw new Error(`nftables does not know ${clusterIP}`)
      const found = [...(rules.get(chain) ?? '').matchAll(/: ([0-9.]+) \. \d+/g)]
        .map(match => match[1])
        .sort()
      if (found.join() !== addresses.toSorted().join())
        throw new Error(`${clusterIP}: there are ${found}, expected ${addresses}`)
    }
  }

  async stop(): Promise<Readonly<Record<string, unknown>>> {
    const metrics = await this.#metrics()
    await this.#end('SIGTERM')
    const told = [...metrics].filter(([name]) =>
      /_(sync_\w+_duration|network_programming_duration)_seconds_(sum|count)|partial_sync/.test(name),
    )
    return { metrics: Object.fromEntries(told), largestChildMiB: this.#childrenPeak?.mebibytes }
  }

  #check(good: boolean): void {
    if (good && this.#child !== undefined && !hasEnded(this.#child)) return
    throw new Error(`${this.name} (exit ${this.#child?.exitCode}) is not as expected: see ${this.#logPath}`)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#childrenPeak?.[Symbol.dispose]()
    this.#watch?.process.kill('SIGKILL')
    this.#watch = undefined
    const child = this.#child
    this.#child = undefined
    await endProcess(child, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL')
  }
}

/** From what nft prints of the map: `10.96.0.10 . tcp . 53 : goto service-…`. */
function chainsByClusterIP(map: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, clusterIP = '', chain = ''] of map.matchAll(/([0-9.]+) \. tcp \. 80 : goto ([^ ,}\n]+)/g))
    found.set(clusterIP, chain)
  return found
}

/** What stands in each chain of a table as nft prints it. */
const rulesByChain = (table: string): Map<string, string> =>
  new Map(
    table
      .split(/^\tchain /m)
      .slice(1)
      .map(chain => [chain.slice(0, chain.indexOf(' {')), chain] as const),
  )
