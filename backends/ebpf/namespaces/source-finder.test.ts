import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIPv4, ipBytes } from '@kpng/api'
import type { NamespaceSources, SourceAddresses, SourceAddressRequest } from '@kpng/ebpf'
import { maps } from '../bindings.gen.ts'
import { FakeHash } from '../reconcile/testing/fake-maps.ts'
import type { Fault } from '../reconcile/testing/faulty-maps.ts'
import { TestClock } from '../reconcile/testing/test-clock.ts'
import { service } from '../reconcile/testing/views.ts'
import { RangedServices } from './ranged-services.ts'
import { SourceFinder } from './source-finder.ts'

const VIP = ['192.0.2.1']

/** Namespaces that are there, by inode number. */
interface Namespace {
  cookie: bigint
  source4?: string
  source6?: string
  hidden?: boolean
  closed?: boolean
}

/** A finder on maps in memory and namespaces that the test makes and takes away. */
class Machine implements Disposable {
  readonly clock = new TestClock()
  readonly namespaces = new Map<number, Namespace>()
  /** What was looked for: 'all', or inode numbers. */
  looks: string[] = []
  tellsCookies = true
  fails: Error | undefined
  fault: Fault = () => undefined
  readonly netns
  readonly missing
  readonly finder

  constructor(maxEntries = 8) {
    const fault: Fault = operation => this.fault(operation)
    this.netns = new FakeHash('netns', maps.netns.key, maps.netns.value, maxEntries, fault)
    const { key, value } = maps.netnsMissing
    this.missing = new FakeHash('netns_missing', key, value, 4, fault)
    this.finder = new SourceFinder({
      netns: this.netns,
      missing: this.missing,
      clock: this.clock,
      look: request => this.#look(request),
    })
  }

  async #look({ namespaces, max, destinations }: SourceAddressRequest): Promise<SourceAddresses> {
    await new Promise(resolve => setImmediate(resolve))
    this.looks.push(namespaces === undefined ? 'all' : namespaces.map(({ inode }) => inode).join())
    if (this.fails !== undefined) throw this.fails
    assert.deepEqual(destinations.slice(0, 2), ['192.0.0.8', '2000::1'], 'first what is on no link')
    const wanted = namespaces?.map(({ inode }) => inode) ?? [...this.namespaces.keys()]
    const found: NamespaceSources[] = []
    const failed = new Map<number, string>()
    for (const inode of wanted.slice(0, max)) {
      const namespace = this.namespaces.get(inode)
      if (namespace?.closed) failed.set(inode, 'EPERM')
      else if (namespace !== undefined && (!namespace.hidden || namespaces !== undefined))
        found.push({
          inode,
          cookie: this.tellsCookies ? namespace.cookie : undefined,
          source4: namespace.source4 === undefined ? undefined : ipBytes(namespace.source4),
          source6: namespace.source6 === undefined ? undefined : ipBytes(namespace.source6),
        })
    }
    const notFound = wanted.filter(inode => !this.namespaces.has(inode))
    return { found, failed, notFound, leftOut: Math.max(0, wanted.length - max), tookMs: 1 }
  }

  add(inode: number, source4?: string, changes: Partial<Namespace> = {}): void {
    const cookie = BigInt(inode) * 100n
    this.namespaces.set(inode, { cookie, ...(source4 === undefined ? {} : { source4 }), ...changes })
  }

  /** As a hook does. */
  miss(inode: number, cookie = BigInt(inode) * 100n): void {
    this.missing.update(cookie, { inode, tgid: 1 })
  }

  /** IPv4 source by inode number. */
  known(): Record<number, string> {
    return Object.fromEntries(
      [...this.netns.entries()].map(([, { inode, flags, source4 }]) => [
        inode,
        flags & 1 ? formatIPv4(source4) : '',
      ]),
    )
  }

  problem(): string {
    return this.finder.problems[0]?.message ?? ''
  }

  async settle(): Promise<void> {
    await this.clock.until(this.finder.filled())
  }

  [Symbol.dispose](): void {
    this.finder[Symbol.dispose]()
  }
}

describe('sources of network namespaces', () => {
  test('are found for all of them when the first Service asks, and gone with the last', async () => {
    using machine = new Machine()
    machine.add(1, '10.0.0.1')
    machine.add(2, '10.0.0.2')
    await machine.clock.pass(60_000)
    assert.deepEqual([machine.looks, machine.known()], [[], {}], 'nobody asks')
    machine.finder.watch(VIP)
    await machine.settle()
    assert.deepEqual(machine.known(), { 1: '10.0.0.1', 2: '10.0.0.2' })
    machine.miss(9)
    machine.finder.watch(undefined)
    await machine.clock.pass(200)
    assert.deepEqual([machine.known(), machine.missing.size], [{}, 0])
    machine.looks = []
    await machine.clock.pass(60_000)
    assert.deepEqual(machine.looks, [])
  })

  test('follow addresses and namespaces that come, change and go', async () => {
    using machine = new Machine()
    machine.add(1, '10.0.0.1')
    machine.add(2)
    machine.finder.watch(VIP)
    await machine.settle()
    assert.deepEqual(machine.known(), { 1: '10.0.0.1', 2: '' })
    machine.add(1, '10.0.0.9')
    machine.add(3, '10.0.0.3')
    machine.namespaces.delete(2)
    await machine.clock.pass(6_000)
    assert.deepEqual(machine.known(), { 1: '10.0.0.9', 3: '10.0.0.3' })
  })

  test('that a hook has missed are there within half a second, and cost one look', async () => {
    using machine = new Machine()
    machine.finder.watch(VIP)
    await machine.settle()
    machine.add(5, '10.0.0.5')
    machine.miss(5)
    machine.looks = []
    await machine.clock.pass(400)
    assert.deepEqual([machine.known(), machine.missing.size], [{ 5: '10.0.0.5' }, 0])
    assert.deepEqual(machine.looks, ['5'])
  })

  test('that cannot be found are looked for again while somebody tries, not at every look', async () => {
    using machine = new Machine()
    machine.finder.watch(VIP)
    await machine.settle()
    machine.looks = []
    for (let n = 0; n < 20; n++) {
      machine.miss(7)
      await machine.clock.pass(100)
    }
    assert.ok(machine.looks.length >= 2 && machine.looks.length <= 5, `${machine.looks}`)
    machine.add(7, '10.0.0.7')
    machine.miss(7)
    await machine.clock.pass(1_000)
    assert.deepEqual(machine.known(), { 7: '10.0.0.7' })
  })

  test('are not believed of another namespace that has got the inode number', async () => {
    using machine = new Machine()
    machine.finder.watch(VIP)
    await machine.settle()
    machine.add(5, '10.0.0.5', { hidden: true })
    machine.miss(5, 77n)
    await machine.clock.pass(400)
    assert.deepEqual(machine.known(), {})
  })

  test('are known by inode number where the kernel does not tell cookies', async () => {
    using machine = new Machine()
    machine.tellsCookies = false
    machine.add(5, '10.0.0.5')
    machine.finder.watch(VIP)
    await machine.settle()
    assert.deepEqual(machine.known(), {})
    machine.miss(5, 77n)
    await machine.clock.pass(400)
    assert.deepEqual(machine.netns.lookup(77n)?.inode, 5)
    machine.add(5, '10.0.0.6')
    await machine.clock.pass(6_000)
    assert.deepEqual(machine.known(), { 5: '10.0.0.6' })
    machine.namespaces.delete(5)
    await machine.clock.pass(6_000)
    assert.deepEqual(machine.known(), {})
  })

  test('that do not fit are told, and come in when others go', async () => {
    using machine = new Machine(2)
    for (const inode of [1, 2]) machine.add(inode, `10.0.0.${inode}`)
    machine.finder.watch(VIP)
    await machine.settle()
    assert.deepEqual(machine.finder.problems, [])
    machine.add(3, '10.0.0.3')
    machine.miss(3)
    await machine.clock.pass(400)
    assert.deepEqual(machine.known(), { 1: '10.0.0.1', 2: '10.0.0.2' })
    assert.match(machine.problem(), /^1 do not fit, netns is full \(2\)/)
    await machine.clock.pass(6_000)
    assert.match(machine.problem(), /^1 do not fit/)
    machine.namespaces.delete(1)
    await machine.clock.pass(6_000)
    assert.deepEqual(machine.known(), { 2: '10.0.0.2', 3: '10.0.0.3' })
    assert.deepEqual(machine.finder.problems, [])
  })

  test('stay where a namespace is closed to us, and that is told', async () => {
    using machine = new Machine()
    machine.add(1, '10.0.0.1')
    machine.finder.watch(VIP)
    await machine.settle()
    machine.add(1, '10.0.0.1', { closed: true })
    await machine.clock.pass(6_000)
    assert.deepEqual(machine.known(), { 1: '10.0.0.1' })
    assert.match(machine.problem(), /^1 cannot be looked into \(EPERM\)/)
    machine.finder.watch(undefined)
    assert.deepEqual(machine.finder.problems, [])
  })

  test('a missed namespace is asked for again in a while where looking fails', async () => {
    using machine = new Machine()
    machine.finder.watch(VIP)
    await machine.settle()
    machine.fails = new Error('no thread')
    machine.looks = []
    machine.miss(7)
    await machine.clock.pass(2_000)
    const asked = machine.looks.filter(look => look === '7').length
    assert.ok(asked >= 2 && asked <= 5, `${machine.looks}`)
  })

  test('are found later where nothing can be looked into now, and nobody waits for that', async () => {
    using machine = new Machine()
    machine.add(1, '10.0.0.1')
    machine.fails = new Error('the thread ended')
    machine.finder.watch(VIP)
    await machine.settle()
    for (let looks = 0; looks < 10; looks++) {
      assert.match(machine.problem(), /the thread ended/, 'it does not come and go')
      await machine.clock.pass(100)
    }
    machine.fails = undefined
    await machine.clock.pass(2_000)
    assert.deepEqual([machine.known(), machine.finder.problems], [{ 1: '10.0.0.1' }, []])
  })

  test('of a former agent are gone on with, and taken away where nobody asks', async () => {
    using machine = new Machine()
    const row = { version: 1, flags: 1, inode: 1, source4: 7, source6: new Uint8Array(16) }
    machine.netns.update(100n, row)
    machine.finder.watch([])
    machine.add(1, '0.0.0.7')
    const writes: string[] = []
    machine.fault = ({ kind }) => {
      if (kind !== 'iterate' && kind !== 'lookup') writes.push(kind)
      return undefined
    }
    await machine.settle()
    assert.deepEqual([machine.known(), writes], [{ 1: '0.0.0.7' }, []])
    machine.finder.watch(undefined)
    await machine.clock.pass(200)
    assert.equal(machine.netns.size, 0)
  })

  test('of a former agent are taken away also where nobody has asked since', async () => {
    using machine = new Machine()
    machine.netns.update(100n, { version: 1, flags: 0, inode: 1, source4: 0, source6: new Uint8Array(16) })
    machine.finder.watch(undefined)
    await machine.clock.pass(200)
    assert.equal(machine.netns.size, 0)
  })
})

test('Services ask for sources while they have load balancer addresses with ranges', () => {
  const ranged = new RangedServices()
  const view = (name: string, loadBalancerIPs: string[], sourceRanges: string[]) =>
    service({
      name,
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      loadBalancerIPs,
      sourceRanges,
      ports: [{ port: 80 }],
    })
  ranged.set(view('a', ['192.0.2.2', '2001:db8::1'], ['10.0.0.0/8']))
  ranged.set(view('b', ['192.0.2.1'], ['10.0.0.0/8']))
  ranged.set(view('c', [], ['10.0.0.0/8']))
  ranged.set(view('d', ['192.0.2.3'], []))
  assert.deepEqual(ranged.addresses, ['192.0.2.1', '192.0.2.2'])
  ranged.set(view('a', ['192.0.2.2'], []))
  ranged.delete('default/b')
  assert.equal(ranged.addresses, undefined)
})
