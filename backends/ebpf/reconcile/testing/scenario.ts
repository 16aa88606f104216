import assert from 'node:assert/strict'
import { recordRow } from './fake-kernel.ts'
import type { FakeSizes } from './fake-maps.ts'
import { Harness } from './harness.ts'
import { lookup } from './lookup.ts'
import { node, type PortSpec, type ServiceSpec, service } from './views.ts'
import { pseudoRandom } from './world.ts'

/** `-- what arguments` and the lines below it. */
interface Step {
  readonly line: number
  readonly what: string
  readonly rest: string
  readonly body: readonly string[]
}

/**
 * A scenario file: `#` comments, then steps.
 *
 *     -- sizes frontends 2 slots 8        (first, if at all) how much fits. Who comes first depends on failures
 *                                         then, so such a scenario is played without
 *     -- sync                             what changes, then sync and settle:
 *     node 192.168.1.1 cidr 10.96.0.0/16
 *     service ns/web ip 10.96.0.1 fd00::1 lb … ranges 10.0.0.0/8 … external … affinity 10 internal-local
 *       port http TCP 80 node 30080: 10.1.0.1:8080 local, 10.1.0.2:8080
 *     delete ns/web
 *     -- connect 10.96.0.1:80/TCP         a client's socket that the kernel remembers
 *     -- disconnect                       all of them
 *     -- pass 60000                       milliseconds
 *     -- restart                          another agent adopts the maps
 *     -- new maps                         another agent adopts the ids only, into empty maps
 *     -- maps [KIND…]                     expected dump
 *     -- problems                         expected, one `where: message` a line, as regular expressions
 *     -- destroyed                        expected ids of backends whose sockets were destroyed since last asked
 *     -- writes                           expected map operations since the last sync, restart or new maps began
 */
function parseScenario(text: string): Step[] {
  const steps: { line: number; what: string; rest: string; body: string[] }[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\s+$/, '')
    if (line === '' || line.startsWith('#')) continue
    const head = /^-- (new maps|\S+)\s*(.*)$/.exec(line)
    if (head !== null) steps.push({ line: index + 1, what: head[1] ?? '', rest: head[2] ?? '', body: [] })
    else steps.at(-1)?.body.push(line)
  }
  return steps
}

/** What it expects holds only when nothing fails. */
export const isReliable = (text: string): boolean => parseScenario(text)[0]?.what === 'sizes'

/** Plays a scenario; `faults` of all map operations and hooks fail, chosen by `seed`. */
export async function playScenario(text: string, faults: number, seed: number): Promise<void> {
  const steps = parseScenario(text)
  const sizes = steps[0]?.what === 'sizes' ? parseSizes(steps.shift()?.rest ?? '') : {}
  const random = pseudoRandom(seed)
  using agent = new Harness({ sizes })
  agent.fault = ({ entries }) => (random() < faults ? Math.floor(random() * entries) : undefined)
  agent.kernel.fault = () => random() < faults
  const player = new Player(agent, faults > 0)
  for (const step of steps) {
    try {
      await player.play(step)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`line ${step.line}, -- ${step.what} ${step.rest}: ${reason}`, { cause: error })
    }
  }
}

class Player {
  readonly #agent: Harness
  /** Operations are not what they would be without failures. */
  readonly #faulty: boolean
  #destroyed = 0
  /** Services and node as last set: another agent hears them anew. */
  readonly #services = new Map<string, ServiceSpec>()
  #node: ReturnType<typeof node> | undefined

  constructor(agent: Harness, faulty: boolean) {
    this.#agent = agent
    this.#faulty = faulty
  }

  async play({ what, rest, body }: Step): Promise<void> {
    const agent = this.#agent
    if (what === 'sync') return this.#sync(body)
    if (what === 'connect') return this.#connect(rest)
    if (what === 'pass') return agent.clock.pass(Number(rest))
    if (what === 'disconnect') {
      agent.kernel.records.length = 0
    } else if (what === 'restart' || what === 'new maps') {
      if (what === 'restart') await agent.restart()
      else await agent.renew()
      if (this.#node !== undefined) agent.reconciler.setNode(this.#node)
      for (const spec of this.#services.values()) agent.reconciler.setService(service(spec))
    } else if (what === 'maps') {
      assert.deepEqual(agent.dump(...rest.split(' ').filter(kind => kind !== '')), body)
    } else if (what === 'problems') {
      this.#checkProblems(body)
    } else if (what === 'destroyed') {
      const ids = agent.kernel.destroyed.slice(this.#destroyed).map(({ id }) => String(id))
      this.#destroyed = agent.kernel.destroyed.length
      assert.deepEqual([...new Set(ids)].sort(), body)
    } else if (what === 'writes') {
      if (!this.#faulty) assert.deepEqual(agent.operations, body)
    } else {
      throw new Error('no such step')
    }
  }

  async #sync(body: readonly string[]): Promise<void> {
    const agent = this.#agent
    agent.forget()
    for (const spec of this.#read(body)) {
      this.#services.set(spec.name, spec)
      agent.reconciler.setService(service(spec))
    }
    await agent.sync()
    // Grace periods end before the next step, so that ranges and indexes are the same in every run.
    await agent.clock.pass(5000)
  }

  /** Carries out `node` and `delete`, gives the Services. */
  #read(body: readonly string[]): ServiceSpec[] {
    const specs: { -readonly [K in keyof ServiceSpec]: ServiceSpec[K] }[] = []
    for (const line of body) {
      const [word = '', name = '', ...more] = line.trim().split(' ')
      if (word === 'node') {
        const words = wordsByKey(['addresses', name, ...more], ['addresses', 'cidr'])
        this.#node = node(words.get('addresses') ?? [], words.get('cidr'))
        this.#agent.reconciler.setNode(this.#node)
      } else if (word === 'delete') {
        const [namespace = '', short = ''] = name.split('/')
        this.#services.delete(name)
        this.#agent.reconciler.deleteService(namespace, short)
      } else if (word === 'service') {
        specs.push(parseService(name, more))
      } else if (word === 'port') {
        const last = specs.at(-1)
        assert(last !== undefined, 'a port without a service')
        last.ports = [...last.ports, parsePort(line)]
      } else {
        throw new Error(`not understood: ${line}`)
      }
    }
    return specs
  }

  #connect(where: string): void {
    const [, address = '', port = '', protocol = ''] = /^\[?([^\]]+?)\]?:(\d+)\/(TCP|UDP)$/.exec(where) ?? []
    const transport = protocol === 'UDP' ? 'UDP' : 'TCP'
    const family = address.includes(':') ? 'IPv6' : 'IPv4'
    const answer = lookup(this.#agent.maps, { family, address, port: Number(port), protocol: transport })
    assert(answer.verdict === 'backends', `${where} answers ${answer.verdict}`)
    const [slot] = answer.slots
    assert(slot !== undefined)
    const { id: backend, generation } = slot
    const { servicePort } = answer
    const row = {
      backend,
      generation,
      servicePort,
      protocol: transport,
      address: slot.address,
      port: slot.port,
    } as const
    this.#agent.kernel.records.push(recordRow(row))
  }

  #checkProblems(expected: readonly string[]): void {
    const problems = this.#agent.problems().sort()
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries())
      assert.match(problems[index] ?? '', new RegExp(`^${pattern}`))
  }
}

function parseService(name: string, words: readonly string[]) {
  const parts = wordsByKey(words, ['ip', 'lb', 'ranges', 'external', 'affinity', 'internal-local'])
  return {
    name,
    clusterIPs: parts.get('ip') ?? [],
    loadBalancerIPs: parts.get('lb') ?? [],
    sourceRanges: parts.get('ranges') ?? [],
    externalIPs: parts.get('external') ?? [],
    affinity: Number(parts.get('affinity')?.[0] ?? 0),
    internalLocal: parts.has('internal-local'),
    ports: [] as readonly PortSpec[],
  }
}

function parsePort(line: string): PortSpec {
  const match = /^\s*port (\S+) (TCP|UDP|SCTP) (\d+)(?: node (\d+))?(?::\s*(.*))?$/.exec(line)
  assert(match !== null, `not a port: ${line}`)
  const [, name = '', protocol = '', port = '', nodePort = '0', endpoints = ''] = match
  return {
    name: name === '-' ? '' : name,
    protocol: protocol === 'UDP' ? 'UDP' : protocol === 'SCTP' ? 'SCTP' : 'TCP',
    port: Number(port),
    nodePort: Number(nodePort),
    endpoints: endpoints.split(', ').filter(text => text !== ''),
  }
}

function wordsByKey(words: readonly string[], keys: readonly string[]): Map<string, string[]> {
  const parts = new Map<string, string[]>()
  let current: string[] = []
  for (const word of words) {
    if (keys.includes(word)) {
      current = []
      parts.set(word, current)
    } else {
      current.push(word)
    }
  }
  return parts
}

function parseSizes(text: string): Partial<FakeSizes> {
  const words = text.split(' ')
  return Object.fromEntries(
    words.flatMap((word, index) => (index % 2 === 0 ? [[word, Number(words[index + 1])]] : [])),
  )
}
