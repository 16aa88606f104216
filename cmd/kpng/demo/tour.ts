import { setTimeout as sleep } from 'node:timers/promises'
import { bars, outcome } from './bars.ts'
import { run, runOk } from './cli.ts'
import { ads, catalog, checkout, email, frontend, nodeAgent, nodes, shipping, somePod } from './cluster.ts'
import { addProbes, type DemoLab, nothing, type ProbeCounts } from './lab.ts'
import { answeredOf, failedOf, type Load } from './load.ts'
import type { Manifests } from './manifests.ts'
import type { Screen } from './screen.ts'

const [worker1, , worker3] = nodes
const triesPerLook = 15

/** What happens in the tour, step by step; each shows what it does and checks what came of it. */
export class Tour {
  readonly #screen: Screen
  readonly #lab: DemoLab
  readonly #manifests: Manifests

  constructor(screen: Screen, lab: DemoLab, manifests: Manifests) {
    this.#screen = screen
    this.#lab = lab
    this.#manifests = manifests
  }

  async run(): Promise<void> {
    const steps: ReadonlyArray<readonly [string, () => Promise<void>]> = [
      ['A cluster of network namespaces, an agent on each node', () => this.#up()],
      ['Services and their backends', () => this.#tables()],
      ['Every kind of address leads to every backend', () => this.#spread()],
      ['A node uses the endpoints that are meant for its zone', () => this.#zones()],
      ['Scaled to zero: refused at once', () => this.#scaleToZero()],
      ['A backend is removed while clients connect', () => this.#removeBackend()],
      ['The agent is killed while clients connect, and started again', () => this.#killAgent()],
    ]
    for (const [index, [title, step]] of steps.entries()) {
      this.#screen.heading(`${index + 1}/${steps.length}  ${title}`)
      await step()
    }
  }

  async #up(): Promise<void> {
    const began = performance.now()
    this.#screen.command(`kpng lab up --name ${this.#lab.name} --state ${this.#lab.dir}`)
    await this.#lab.up(line => this.#screen.block([line]))
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    const pids = await Promise.all(nodes.map(node => this.#lab.agentPid(node)))
    this.#screen.check(new Set(pids).size === nodes.length, `up in ${seconds} s, ${pids.length} agents run`)
  }

  async #tables(): Promise<void> {
    const instance = ['--instance', this.#lab.instance(worker1)]
    const services = await this.#show(['get', 'services', ...instance])
    this.#screen.line()
    const backends = await this.#show(['get', 'backends', ...instance])
    const address = `${frontend.clusterIP}:${frontend.port}`
    this.#screen.check(services.includes(address), `${frontend.service} is served at ${address}`)
    const missing = this.#manifests.endpoints(frontend.service).filter(one => !backends.includes(one))
    this.#screen.check(missing.length === 0, 'each of its endpoints is a backend')
  }

  async #spread(): Promise<void> {
    const targets: ReadonlyArray<readonly [what: string, service: string, from: string, to: string]> = [
      ['ClusterIP', frontend.service, `node/${worker1}`, `${frontend.clusterIP}:${frontend.port}`],
      ['NodePort', frontend.service, `node/${worker1}`, frontend.nodePort],
      ['external IP', shipping.service, somePod, shipping.externalIP],
      ['IPv6', checkout.service, `node/${worker1}`, checkout.ipv6],
      ['UDP', nodeAgent.service, somePod, nodeAgent.address],
    ]
    for (const [what, service, from, to] of targets) {
      const family = to.startsWith('[') ? ':' : '.'
      const backends = this.#manifests.endpoints(service).filter(address => address.includes(family))
      const result = await this.#probe(from, to, 60)
      const answered = Object.keys(result.answered).length
      const all = answered === backends.length && sum(result) === result.sent
      this.#screen.check(all, `${what}: ${outcome(result)}`)
    }
  }

  async #zones(): Promise<void> {
    for (const [node, zone, meant] of [
      [worker1, 'zone-a', catalog.zoneA],
      [worker3, 'zone-b', catalog.zoneB],
    ] as const) {
      const result = await this.#probe(`node/${node}`, catalog.address, 30)
      this.#screen.check(
        sum(result) === result.sent && hosts(result).every(host => meant.includes(host)),
        `${node} is in ${zone}: only the endpoints with that hint`,
      )
    }
    await this.#show(['explain', catalog.address, '--instance', this.#lab.instance(worker1)])
  }

  async #scaleToZero(): Promise<void> {
    const before = await this.#probe(`node/${worker1}`, ads.address, 20)
    this.#screen.check(sum(before) === before.sent, `${ads.service}: ${outcome(before)}`)
    this.#manifests.keepEndpoints(ads.service, () => false)
    await this.#apply(`the EndpointSlices of ${ads.service} are empty now`)
    for (const [service, address] of [
      [ads.service, ads.address],
      [email.service, email.address],
    ] as const) {
      const began = performance.now()
      const refused = await this.#lab.probe(`node/${worker1}`, address, 20)
      const ms = Math.round(performance.now() - began)
      this.#screen.check(
        refused.refused === 20,
        `${service} at ${address}: ${outcome(refused)} (all in ${ms} ms, the command's start included)`,
      )
    }
    this.#manifests.restore()
    await this.#apply('and are as before again')
    const after = await this.#probe(`node/${worker1}`, ads.address, 20)
    this.#screen.check(sum(after) === after.sent, `${ads.service}: ${outcome(after)}`)
  }

  async #removeBackend(): Promise<void> {
    const { service, clusterIP, port } = frontend
    const [gone = ''] = this.#manifests.endpoints(service)
    await using load = this.#load(somePod, clusterIP, port)
    await load.more(150)
    this.#manifests.keepEndpoints(service, address => address !== gone)
    await this.#apply(`${gone} has left the EndpointSlice`)
    // Connections that were under way when the list flipped may still be answered.
    await sleep(300)
    const flipped = load.latest
    await load.more(150)
    const last = await load.stop()
    const count = (answered: Readonly<Record<string, number>>): number =>
      Object.entries(answered).find(([pod]) => hostOf(pod) === gone)?.[1] ?? 0
    this.#showLoad(last)
    this.#screen.check(count(flipped.answered) > 0, `${gone} answered before`)
    this.#screen.check(count(last.answered) === count(flipped.answered), 'and not once after it was removed')
    this.#screen.check(failedOf(last) === 0, `none of ${answeredOf(last)} connections failed`)
    this.#manifests.restore()
    await this.#apply('and it is back')
  }

  async #killAgent(): Promise<void> {
    const instance = this.#lab.instance(worker1)
    const pid = await this.#lab.agentPid(worker1)
    await using load = this.#load(`node/${worker1}`, catalog.host, catalog.port)
    await load.more(100)
    this.#screen.command(`kill -9 ${pid}`)
    process.kill(pid, 'SIGKILL')
    await load.more(150)
    this.#screen.check(failedOf(load.latest) === 0, 'connections go on without an agent')
    await this.#show(['get', 'services', catalog.service, '--instance', instance])
    await this.#apply('the lab starts the agent again; it adopts what is pinned')
    await load.more(150)
    const restarted = await this.#lab.agentPid(worker1)
    this.#screen.check(restarted !== pid, `a new agent runs: ${restarted}`)

    const [gone = ''] = catalog.zoneA
    this.#manifests.keepEndpoints(catalog.service, address => address !== gone)
    await this.#apply(`${gone} has left the EndpointSlice`)
    const result = await this.#probe(`node/${worker1}`, catalog.address, 20)
    const works = sum(result) === result.sent && !hosts(result).includes(gone)
    this.#screen.check(works, 'and the new agent does its work')
    const last = await load.stop()
    this.#showLoad(last)
    this.#screen.check(failedOf(last) === 0, `none of ${answeredOf(last)} connections failed`)
    this.#manifests.restore()
    await this.#apply('everything is as at the beginning')
  }

  /** Runs a command of the reader's and shows what it says. */
  async #show(args: readonly string[]): Promise<string> {
    this.#screen.command(`kpng ${args.join(' ')}`)
    const { exitCode, stdout, stderr } = await run(args)
    this.#screen.block(`${stderr}${stdout}`.trimEnd().split('\n'))
    this.#screen.check(exitCode === 0, `kpng ${args.slice(0, 2).join(' ')} answers`)
    return stdout
  }

  async #apply(what: string): Promise<void> {
    this.#screen.line(`  ${what}`)
    const began = performance.now()
    await runOk(['lab', 'apply', '--name', this.#lab.name, '--state', this.#lab.dir])
    this.#screen.line(`  applied on every node in ${Math.round(performance.now() - began)} ms`)
  }

  async #probe(from: string, to: string, count: number): Promise<ProbeCounts> {
    this.#screen.command(`kpng lab probe --name ${this.#lab.name} --from ${from} --to ${to} --count ${count}`)
    let result = nothing
    while (result.sent < count) {
      const tries = this.#screen.terminal ? Math.min(triesPerLook, count - result.sent) : count
      result = addProbes(result, await this.#lab.probe(from, to, tries))
      this.#screen.live(bars(result.answered, this.#screen.bar()))
    }
    this.#screen.block(bars(result.answered, this.#screen.bar()))
    return result
  }

  #load(who: string, host: string, port: number): Load {
    this.#screen.line(`  ${who} connects to ${host}:${port} 200 times a second`)
    const load = this.#lab.load(who, host, port)
    load.onReport = report =>
      this.#screen.live([
        `${answeredOf(report)} connections, ${failedOf(report)} failed`,
        ...bars(report.answered, this.#screen.bar()),
      ])
    return load
  }

  #showLoad(report: Load['latest']): void {
    this.#screen.block(bars(report.answered, this.#screen.bar()))
    for (const [code, count] of Object.entries(report.failed))
      this.#screen.block([`${count} failed: ${code}`])
  }
}

const sum = (result: ProbeCounts): number =>
  Object.values(result.answered).reduce((total, count) => total + count, 0)

/** `10.0.0.1:80` and `[fd00::1]:80` without the port. */
const hostOf = (pod: string): string => pod.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')

const hosts = (result: ProbeCounts): string[] => Object.keys(result.answered).map(hostOf)
