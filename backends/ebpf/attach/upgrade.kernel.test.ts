import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  AttachType,
  attachCgroup,
  type BpfMap,
  type DynamicRecord,
  type DynamicValue,
  keyedMap,
  type Link,
  loadObject,
  mapCodecs,
  memoryMap,
  openPinnedLink,
  openPinnedMap,
  openProgramById,
  perCpuMap,
  possibleCpus,
  queryCgroup,
} from '@kpng/ebpf'
import { failOnLeakedFds, scratchCgroup } from '@kpng/ebpf/testing'
import { testObject } from '../../../ebpf/testdata/build.ts'
import { backendCount, maps, Reason, serviceCount } from '../bindings.gen.ts'
import { type VersionName, versionDirectory } from '../bpf/testing/versions.ts'
import { byName } from './by-name.ts'
import { countMaps, livingMaps } from './map-set.ts'
import { Datapath, type DatapathOptions } from './open-datapath.ts'
import { countPath, generationPath, instancePath, linkPath, livingPath, removePins } from './pin-paths.ts'
import { datapathMapsOf } from './typed-maps.ts'

failOnLeakedFds()

const build = join(import.meta.dirname, '../bpf/build')
let count = 0

/** An instance and a cgroup of a test's own. */
class Scratch implements Disposable {
  readonly instance = `u${process.pid}-${++count}`
  readonly cgroup = scratchCgroup()

  options(changes: Partial<DatapathOptions> = {}): DatapathOptions {
    return {
      instance: this.instance,
      cgroup: this.cgroup.path,
      sizes: { maxServicePorts: 64, maxFrontends: 64, maxEndpoints: 64 },
      recordTcp: true,
      events: false,
      protectNodePorts: false,
      objectDirectory: build,
      ...changes,
    }
  }

  /** As an agent of that version does, and dies. */
  leave(version: VersionName): void {
    using object = this.load(version)
    const derived = ['svc4', 'svc6', 'list', 'backend4', 'backend6', 'addr4', 'addr6', 'source4', 'source6']
    const pin = (names: readonly string[], directory: string): void => {
      for (const name of names) object.map(name).pin(join(directory, name))
    }
    pin([...derived, 'cfg', 'outside', 'service'], generationPath(this.instance, 1))
    pin(livingMaps, livingPath(this.instance))
    pin(['backend_count'], countPath(this.instance))
  }

  load(version: VersionName) {
    const path = join(versionDirectory(version), 'sock.bpf.o')
    return loadObject(path, { programs: ['connect4'], maxEntries: { backend_count: 128 } })
  }

  link(hook: string): Link {
    return openPinnedLink(join(linkPath(this.instance), hook))
  }

  /** The program at each hook and the map behind each pin, by name and id. */
  state(): string[] {
    const directory = instancePath(this.instance)
    const pins = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
      entry => !entry.isDirectory(),
    )
    const ids = pins.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      if (parentPath === linkPath(this.instance)) {
        using link = openPinnedLink(path)
        return `${name}: link ${link.info().id} program ${link.info().programId}`
      }
      using map = openPinnedMap(path)
      return `${path}: map ${map.info.id}`
    })
    return ids.sort()
  }

  [Symbol.dispose](): void {
    removePins(this.instance)
    this.cgroup[Symbol.dispose]()
  }
}

const mapsOf = (datapath: Datapath): ReturnType<typeof datapathMapsOf> =>
  datapathMapsOf(name => datapath.previousMap(name) ?? datapath.map(name), byName())

for (const version of ['older', 'newer'] as const)
  test(`the ${version} version’s names, frontends and slots are read where they are there`, async () => {
    using scratch = new Scratch()
    scratch.leave(version)
    write(scratch)
    using datapath = await Datapath.open(scratch.options())
    assert.match(datapath.newGenerationReason ?? '', /of generation 1: /)
    const previous = mapsOf(datapath)
    assert.deepEqual(
      [...previous.service.entries()],
      [[5, { namespace: 'shop', name: 'web', port: 'http', proto: 6 }]],
    )
    const [[key, value] = assert.fail('no frontend')] = [...previous.svc4.entries()]
    assert.deepEqual(key, { addr: 0x0a600001, port: 80, proto: 6, scope: 0 })
    assert.deepEqual([value.list, value.servicePort, value.affinityTimeoutS], [3, 5, 600])
    const { addr, port, id, list, generation } = previous.backend4.read(8)
    assert.deepEqual([addr, port, id, list, generation], [0x0ab40001, 8080, 7, 3, 2])
    assert.throws(() => previous.svc4.update(key, value), { code: 'LAYOUT' })
  })

/** One service port with one backend, by that version's own names. */
function write(scratch: Scratch): void {
  const directory = generationPath(scratch.instance, 1)
  const put = (name: string, key: DynamicValue, fields: DynamicRecord): void => {
    using map = openPinnedMap(join(directory, name))
    const codecs = mapCodecs(map.info)
    const blank = codecs.value.decode(new DataView(new ArrayBuffer(codecs.value.size)), 0) as DynamicRecord
    keyedMap(map, codecs.key, codecs.value).update(key, { ...blank, ...fields })
  }
  put('service', 5, { namespace: 'shop', name: 'web', port: 'http', proto: 6 })
  put(
    'svc4',
    { addr: 0x0a600001, port: 80, proto: 6, scope: 0 },
    { list: 3, servicePort: 5, affinityTimeoutS: 600 },
  )
  put('backend4', 8, { addr: 0x0ab40001, port: 8080, id: 7, list: 3, generation: 2 })
}

test('nothing is taken over from a layout whose fields mean something else', async () => {
  using scratch = new Scratch()
  scratch.leave('reinterpreted')
  write(scratch)
  using datapath = await Datapath.open(scratch.options())
  assert.equal(datapath.newGenerationReason, 'generation 1 is not of layout version 1')
  assert.deepEqual([datapath.isNew, datapath.isPreviousUnderstood], [false, false])
  assert.equal(datapath.previousMap('service'), undefined)
})

test('counts of ids that nobody knows are set aside until the programs that count by them are replaced', async () => {
  using scratch = new Scratch()
  const theirVersion = scratch.options({ objectDirectory: versionDirectory('reinterpreted') })
  {
    using datapath = await Datapath.open(theirVersion)
    datapath.attach()
    datapath.pin()
  }
  const pins = () => readdirSync(countPath(scratch.instance)).filter(name => name.includes('before'))
  const path = join(countPath(scratch.instance), 'backend_count')
  using theirs = openPinnedMap(path)
  const counts = { connections: 4n, datagrams: 0n, open: 2n, failures: 0n }
  memoryMap(theirs, backendCount).write(7, [counts])
  // Dies, and the next one finds them still.
  ;(await Datapath.open(scratch.options()))[Symbol.dispose]()
  {
    using datapath = await Datapath.open(scratch.options())
    assert.deepEqual(datapath.foreignIds, { maxBackend: 7, maxServicePort: 0 })
    assert.equal(pins().length, 2)
    assert.ok(pins().includes(`backend_count_before_${theirs.info.id}`))
    assert.equal(memoryMap(datapath.map('backend_count'), backendCount).read(7).connections, 0n)
  }
  // The version that knows the ids comes back.
  {
    using back = await Datapath.open(theirVersion)
    assert.equal(back.isPreviousUnderstood, true)
    assert.deepEqual(memoryMap(back.map('backend_count'), backendCount).read(7), counts)
  }
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
  datapath.endPrevious()
  assert.deepEqual(pins(), [])
  assert.equal(memoryMap(datapath.map('backend_count'), backendCount).read(7).connections, 0n)
})

for (const [version, message] of [
  ['foreign', /living map sk_tcp: value: field vip_port is at 4, expected at 2/],
  ['next', /in version 2 \(living map sk_tcp is of version 2\), this one reads 1\b/],
] as const)
  test(`records of version ${version} are refused; what is pinned and attached stays to the letter`, async () => {
    using scratch = new Scratch()
    {
      using datapath = await Datapath.open(scratch.options({ objectDirectory: versionDirectory(version) }))
      datapath.attach()
      datapath.pin()
    }
    const before = scratch.state()
    assert.ok(before.length > 30, `${before.length}`)
    await assert.rejects(Datapath.open(scratch.options()), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'conflict')
      assert.match(error.message, message)
      assert.match(error.message, /run that version, .* or run kpng cleanup --instance/)
      return true
    })
    assert.deepEqual(scratch.state(), before)
  })

test('programs that write records of the future are refused, also into maps of this version', async () => {
  using scratch = new Scratch()
  for (const objectDirectory of [build, versionDirectory('next')]) {
    using datapath = await Datapath.open(scratch.options({ objectDirectory }))
    datapath.attach()
    datapath.pin()
  }
  const before = scratch.state()
  await assert.rejects(Datapath.open(scratch.options()), {
    code: 'conflict',
    message: /version 2 \(program \w+ writes records of version 2\), this one reads 1/,
  })
  assert.deepEqual(scratch.state(), before)
  // A version that reads both can go on, and after it this one.
  using prepared = await Datapath.open(scratch.options({ objectDirectory: versionDirectory('prepared') }))
  prepared.attach()
  prepared.pin()
  prepared[Symbol.dispose]()
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
})

test('what is open in a backend_count of another size goes along, over deaths in between', async () => {
  using scratch = new Scratch()
  const sizes = (maxEndpoints: number) => ({ maxServicePorts: 64, maxFrontends: 64, maxEndpoints })
  const counts = (datapath: Datapath) => memoryMap(datapath.map('backend_count'), backendCount)
  const of = (open: bigint) => ({ connections: open + 1n, datagrams: 0n, open, failures: 0n })
  using programs = new DisposableStack()
  {
    using first = await Datapath.open(scratch.options())
    first.attach()
    first.pin()
  }
  const path = join(countPath(scratch.instance), 'backend_count')
  const old = memoryMap(programs.use(openPinnedMap(path)), backendCount)
  old.write(7, [of(3n)])
  // Dies before its programs are in place.
  ;(await Datapath.open(scratch.options({ sizes: sizes(128) })))[Symbol.dispose]()
  {
    using third = await Datapath.open(scratch.options({ sizes: sizes(256) }))
    third.attach()
    third.pin()
    assert.deepEqual(counts(third).read(7), of(3n))
    // Programs that are about to end count on where they did, and the agent dies.
    old.write(7, [of(1n)])
  }
  using last = await Datapath.open(scratch.options({ sizes: sizes(64) }))
  last.attach()
  last.endPrevious()
  assert.deepEqual(counts(last).read(7), { ...of(4n), connections: 6n })
  assert.deepEqual(
    readdirSync(countPath(scratch.instance)).filter(name => name.includes('before')),
    [],
  )
})

/** Counts of service port 7 and of reason 2 and the largest one, over all CPUs. */
function perCpuCounts(of: (name: 'service_count' | 'reason_count') => BpfMap) {
  const services = perCpuMap(of('service_count'), maps.serviceCount.key, serviceCount)
  const reasons = perCpuMap(of('reason_count'), maps.reasonCount.key, maps.reasonCount.value)
  const onEach = <T>(value: T): T[] => Array.from({ length: possibleCpus() }, () => value)
  const none = { connections: 0n, datagrams: 0n, refused: 0n, unreachable: 0n }
  const sum = (counts: readonly bigint[] = []): bigint =>
    BigInt.asUintN(
      64,
      counts.reduce((total, count) => total + count, 0n),
    )
  return {
    /** The value of each CPU. */
    write(connections: bigint, refused: bigint, reason: bigint): void {
      services.update(7, onEach({ ...none, connections, refused }))
      reasons.update(Reason.NO_ENDPOINTS, onEach(reason))
    },
    /** The value of each CPU, were it the same on all. */
    read(): (bigint | number)[] {
      const service = services.lookup(7) ?? []
      return [
        sum(service.map(({ connections }) => connections)) / BigInt(possibleCpus()),
        sum(service.map(({ datagrams }) => datagrams)) / BigInt(possibleCpus()),
        sum(service.map(({ refused }) => refused)) / BigInt(possibleCpus()),
        sum(reasons.lookup(Reason.NO_ENDPOINTS)) / BigInt(possibleCpus()),
      ]
    },
  }
}

test('counts of service ports of another size go along from the start, over deaths in between', async () => {
  using scratch = new Scratch()
  const sizes = (maxServicePorts: number) => ({ maxServicePorts, maxFrontends: 64, maxEndpoints: 64 })
  const counts = (datapath: Datapath) => perCpuCounts(name => datapath.map(name))
  using programs = new DisposableStack()
  {
    using first = await Datapath.open(scratch.options())
    first.attach()
    first.pin()
  }
  const pinned = (name: string): BpfMap =>
    programs.use(openPinnedMap(join(countPath(scratch.instance), name)))
  const old = perCpuCounts(pinned)
  old.write(5n, 3n, 2n)
  {
    // Dies before its programs are in place.
    using second = await Datapath.open(scratch.options({ sizes: sizes(128) }))
    assert.deepEqual(counts(second).read(), [5n, 0n, 3n, 2n], 'before anything is put in place')
    assert.deepEqual(old.read().slice(0, 3), [0n, 0n, 0n], 'moved, not copied')
  }
  {
    using third = await Datapath.open(scratch.options({ sizes: sizes(256) }))
    assert.deepEqual(counts(third).read(), [5n, 0n, 3n, 2n])
    old.write(1n, 0n, 2n)
    third.attach()
    third.pin()
    assert.deepEqual(counts(third).read(), [6n, 0n, 3n, 2n])
    // Programs that are about to end count on where they did, and the agent dies.
    old.write(0n, 4n, 2n)
  }
  using last = await Datapath.open(scratch.options({ sizes: sizes(32) }))
  last.attach()
  last.endPrevious()
  assert.deepEqual(counts(last).read(), [6n, 0n, 7n, 2n])
  assert.deepEqual(readdirSync(countPath(scratch.instance)).sort(), [...countMaps].sort())
})

test('a reason that the version before did not have is counted after it, and what it counted goes along', async () => {
  using scratch = new Scratch()
  {
    using older = scratch.load('older')
    const map = older.map('reason_count')
    map.pin(join(countPath(scratch.instance), 'reason_count'))
    perCpuCounts(name => older.map(name)).write(0n, 0n, 4n)
  }
  using datapath = await Datapath.open(scratch.options())
  assert.equal(perCpuCounts(name => datapath.map(name)).read()[3], 4n)
  assert.equal(datapath.map('reason_count').info.maxEntries, Reason.MAX)
})

/** A program that kpng has not made. */
function foreignProgram() {
  return loadObject(testObject('socket'), { programs: ['first'] })
}

const programAt = (scratch: Scratch, hook: string): number => {
  using link = scratch.link(hook)
  return link.info().programId
}

test('a program of somebody else at our link is named and left alone; all others are kept in place', async () => {
  using scratch = new Scratch()
  using foreign = foreignProgram()
  const { id } = foreign.program('first')
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
  datapath.pin()
  {
    using link = scratch.link('connect4')
    link.update(foreign.program('first'))
  }
  const fault = `the link of connect4 carries program ${id} (first), not ours`
  assert.equal(datapath.fault(), fault)
  const refused = (error: Error & { code?: string }): boolean =>
    error.code === 'conflict' && error.message.startsWith(`${fault}: it was not put there by kpng`)
  assert.throws(() => datapath.attach(), refused)
  assert.equal(programAt(scratch, 'connect4'), id)
  {
    // Meanwhile another hook is repaired.
    using link = scratch.link('getpeername4')
    link.detach()
  }
  assert.throws(() => datapath.attach(), refused)
  assert.equal(datapath.fault(), fault)
  assert.equal(queryCgroup(scratch.cgroup.path, AttachType.CGROUP_INET4_GETPEERNAME).programIds.length, 1)
  // What the message advises.
  {
    using link = scratch.link('connect4')
    link.detach()
  }
  datapath.attach()
  assert.equal(datapath.fault(), undefined)
})

test('an agent that starts finds a program of somebody else at a pinned link, and leaves it there', async () => {
  using scratch = new Scratch()
  using foreign = foreignProgram()
  {
    using datapath = await Datapath.open(scratch.options())
    datapath.attach()
    datapath.pin()
    using link = scratch.link('connect4')
    link.update(foreign.program('first'))
  }
  using datapath = await Datapath.open(scratch.options())
  assert.throws(() => datapath.attach(), { code: 'conflict' })
  assert.equal(programAt(scratch, 'connect4'), foreign.program('first').id)
  assert.notEqual(programAt(scratch, 'connect6'), 0)
  assert.match(datapath.fault() ?? '', /^the link of connect4 carries program \d+ \(first\), not ours$/)
})

test('a program of this instance by another version is replaced, one of another instance is not', async () => {
  using scratch = new Scratch()
  using other = new Scratch()
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
  datapath.pin()
  {
    using older = scratch.load('older')
    using link = scratch.link('connect4')
    link.update(older.program('connect4'))
  }
  assert.match(datapath.fault() ?? '', /carries program \d+ \(connect4\), not ours/)
  datapath.attach()
  assert.equal(datapath.fault(), undefined)

  using neighbour = await Datapath.open(other.options())
  neighbour.attach()
  neighbour.pin()
  {
    using theirs = other.link('connect4')
    using link = scratch.link('connect4')
    using program = openProgramById(theirs.info().programId)
    link.update(program)
  }
  assert.throws(() => datapath.attach(), { code: 'conflict' })
})

test('programs of others at the same hook are told of in their order, and left alone', async () => {
  using scratch = new Scratch()
  using foreign = loadObject(testObject('socket'), { programs: ['first', 'second'] })
  const attach = (name: string): Link =>
    attachCgroup({
      ...{ program: foreign.program(name), cgroup: scratch.cgroup.path },
      attachType: AttachType.CGROUP_INET4_CONNECT,
    })
  using before = attach('first')
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
  const id = foreign.program('first').id
  assert.deepEqual(datapath.neighbours(), [`connect4: program ${id} (first) runs before ours`])
  {
    using _ = attach('second')
    assert.match(datapath.neighbours()[1] ?? '', /^connect4: program \d+ \(second\) runs after ours$/)
  }
  datapath.attach()
  assert.equal(datapath.fault(), undefined)
  before.detach()
  assert.deepEqual(datapath.neighbours(), [])
})
