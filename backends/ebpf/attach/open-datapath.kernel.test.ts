import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AttachType,
  attachCgroup,
  keyedMap,
  loadObject,
  openPinnedLink,
  openPinnedMap,
  queryCgroup,
  u8,
} from '@kpng/ebpf'
import { failOnLeakedFds, interceptSyscalls, openFds, scratchCgroup } from '@kpng/ebpf/testing'
import { deadKey } from '../bindings.gen.ts'
import { derivedMaps, type PinnedMap } from './map-set.ts'
import { Datapath, type DatapathOptions } from './open-datapath.ts'
import {
  countPath,
  generationPath,
  linkPath,
  livingPath,
  pinnedGenerations,
  removePins,
} from './pin-paths.ts'
import { SocketRecords } from './socket-records.ts'

failOnLeakedFds()

const BPF_MAP_UPDATE_BATCH = 26
const BPF_LINK_CREATE = 28
const { ENOMEM } = constants.errno

const bpf = join(import.meta.dirname, '../bpf')
const build = join(bpf, 'build')
let count = 0

/** An instance and a cgroup of a test's own. */
class Scratch implements Disposable {
  readonly instance = `t${process.pid}-${++count}`
  readonly #cgroup = scratchCgroup()

  options(changes: Partial<DatapathOptions> = {}): DatapathOptions {
    return {
      instance: this.instance,
      cgroup: this.#cgroup.path,
      sizes: { maxServicePorts: 64, maxFrontends: 64, maxEndpoints: 64 },
      recordTcp: true,
      events: false,
      protectNodePorts: false,
      objectDirectory: build,
      ...changes,
    }
  }

  [Symbol.dispose](): void {
    removePins(this.instance)
    this.#cgroup[Symbol.dispose]()
  }
}

/** The kernel detaches a program some time after the last pin of its link has gone. */
async function detached(check: () => void): Promise<void> {
  const deadline = Date.now() + 5_000
  for (;;) {
    try {
      return check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(10)
    }
  }
}

/** Pins maps as a version of kpng would whose maps.h is edited, without any program. */
function pinAsOtherVersion(
  directory: string,
  names: readonly PinnedMap[],
  edit: (source: string) => string,
  maxEntries: Partial<Record<PinnedMap, number>> = {},
): void {
  const folder = mkdtempSync(join(tmpdir(), 'kpng-maps-'))
  try {
    const source = readFileSync(join(bpf, 'maps.h'), 'utf8')
    const edited = edit(source)
    if (Object.keys(maxEntries).length === 0) assert.notEqual(edited, source, 'the edit found nothing')
    writeFileSync(join(folder, 'maps.h'), edited)
    for (const file of readdirSync(bpf).filter(name => name.endsWith('.h') && name !== 'maps.h'))
      writeFileSync(join(folder, file), readFileSync(join(bpf, file)))
    writeFileSync(join(folder, 'maps.c'), '#include "consts.h"\n#include "maps.h"\n')
    const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
    const flags = ['-target', 'bpf', '-mcpu=v2', '-O2', '-g', '-std=gnu11']
    const object = join(folder, 'maps.o')
    const include = ['-idirafter', `/usr/include/${machine}-linux-gnu`]
    execFileSync('clang', [...flags, ...include, '-c', join(folder, 'maps.c'), '-o', object])
    using loaded = loadObject(object, { maxEntries })
    for (const name of names) loaded.map(name).pin(join(directory, name))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Ids of the maps that this process has open. */
const openMapIds = (): number[] =>
  readdirSync('/proc/self/fdinfo').flatMap(fd => {
    try {
      const id = /^map_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
      return id === undefined ? [] : [Number(id)]
    } catch {
      return [] // the descriptor of the directory itself
    }
  })

/** Names of the programs that this process has open. */
const ownPrograms = (): string[] =>
  openFds().flatMap(({ what }) => (what.startsWith('program ') ? [what.slice('program '.length)] : []))

const swapInUdpFlow = (source: string): string =>
  source.replace(
    /__u32 backend; \/\* id \*\/\n\t__u32 service_port; \/\* id \*\/\n\t__u16 generation;\n\t__u16 flags; \/\* enum udp_flow_flag/,
    '__u32 service_port;\n\t__u32 backend;\n\t__u16 generation;\n\t__u16 flags; /* enum udp_flow_flag',
  )

/** As an agent does. */
function putInPlace(datapath: Datapath): void {
  datapath.attach()
  datapath.pin()
}

test('socket records of another layout, also inside a nested struct, are refused and left alone', async () => {
  using scratch = new Scratch()
  pinAsOtherVersion(livingPath(scratch.instance), ['sk_udp'], swapInUdpFlow)
  await assert.rejects(Datapath.open(scratch.options()), (error: Error) => {
    assert.match(error.message, /recorded in another layout/)
    assert.match(String(error.cause), /sk_udp: value: field connected\.backend is at 40, expected at 36/)
    return true
  })
  assert.deepEqual(readdirSync(livingPath(scratch.instance)), ['sk_udp'])
})

test('socket records of a version that uses a reserved field are gone on with', async () => {
  using scratch = new Scratch()
  const grow = (source: string): string =>
    source.replace(/(struct udp_flow \{[^}]*)\t__u32 reserved;\n/, '$1\t__u32 tries;\n')
  pinAsOtherVersion(livingPath(scratch.instance), ['sk_udp'], grow)
  using datapath = await Datapath.open(scratch.options())
  assert.ok(datapath.map('sk_udp').info.id > 0)
})

test('a living map keeps the size that it has', async () => {
  using scratch = new Scratch()
  pinAsOtherVersion(livingPath(scratch.instance), ['affinity'], source => source, { affinity: 256 })
  using datapath = await Datapath.open(scratch.options())
  assert.equal(datapath.map('affinity').info.maxEntries, 256)
})

test('counters of another layout begin again', async () => {
  using scratch = new Scratch()
  const edit = (source: string): string =>
    source.replace(
      /(struct service_count \{\n)\t__u64 connections;\n\t__u64 datagrams;/,
      '$1\t__u64 datagrams;\n\t__u64 connections;',
    )
  pinAsOtherVersion(countPath(scratch.instance), ['service_count'], edit, { service_count: 64 })
  using before = openPinnedMap(join(countPath(scratch.instance), 'service_count'))
  using datapath = await Datapath.open(scratch.options())
  assert.notEqual(datapath.map('service_count').info.id, before.info.id)
})

test('derived maps of another layout are left to their programs, and new ones made', async () => {
  using scratch = new Scratch()
  {
    using first = await Datapath.open(scratch.options())
    assert.deepEqual([first.isNew, first.generation], [true, 1])
  }
  rmSync(join(generationPath(scratch.instance, 1), 'backend4'))
  const edit = (source: string): string =>
    source.replace('\t__u32 list;\n\t__u16 generation; /*', '\t__u32 slot_of;\n\t__u16 generation; /*')
  pinAsOtherVersion(generationPath(scratch.instance, 1), ['backend4'], edit, { backend4: 128 })
  using second = await Datapath.open(scratch.options())
  assert.match(second.newGenerationReason ?? '', /map backend4 of generation 1: value: field list is missing/)
  assert.deepEqual(pinnedGenerations(scratch.instance), [1, 2])
  second.attach()
  assert.deepEqual(pinnedGenerations(scratch.instance), [2])
})

test('maps of a version without source ranges are left to their programs, and adopted from', async () => {
  using scratch = new Scratch()
  {
    using first = await Datapath.open(scratch.options())
    putInPlace(first)
  }
  for (const name of ['source4', 'source6']) rmSync(join(generationPath(scratch.instance, 1), name))
  rmSync(join(livingPath(scratch.instance), 'netns'))
  using second = await Datapath.open(scratch.options())
  assert.equal(second.newGenerationReason, 'generation 1 lacks map source4')
  assert.equal(second.isNew, false)
  assert.ok(second.previousMap('service'))
  assert.equal(second.previousMap('source4'), undefined)
  second.attach()
  assert.deepEqual(pinnedGenerations(scratch.instance), [2])
})

test('of generations that are not gone on with nothing is kept open', async () => {
  using scratch = new Scratch()
  {
    using first = await Datapath.open(scratch.options())
    putInPlace(first)
  }
  const others: number[] = []
  for (const number of [2, 3]) {
    using loaded = loadObject(join(build, 'sock.bpf.o'), { programs: [] })
    for (const name of derivedMaps.slice(number === 3 ? 4 : 0)) {
      loaded.map(name).pin(join(generationPath(scratch.instance, number), name))
      others.push(loaded.map(name).info.id)
    }
  }
  using datapath = await Datapath.open(scratch.options())
  assert.equal(datapath.generation, 1)
  assert.deepEqual(pinnedGenerations(scratch.instance), [1])
  const open = new Set(openMapIds())
  assert.deepEqual(
    others.filter(id => open.has(id)),
    [],
  )
})

test('two agents that start on one cgroup at once: the second is refused before anything is attached', async () => {
  using scratch = new Scratch()
  using other = new Scratch()
  const { cgroup } = scratch.options()
  {
    using _ = await Datapath.open(scratch.options())
    await assert.rejects(Datapath.open(other.options({ cgroup })), {
      code: 'conflict',
      message: /another agent, which is starting/,
    })
  }
  using second = await Datapath.open(other.options({ cgroup }))
  second.attach()
})

test('a link that an agent left behind while it moved to another cgroup is taken away', async () => {
  using scratch = new Scratch()
  using elsewhere = scratchCgroup()
  using datapath = await Datapath.open(scratch.options())
  datapath.attach()
  {
    using object = loadObject(join(build, 'sock.bpf.o'), { programs: ['connect4'] })
    using link = attachCgroup({
      program: object.program('connect4'),
      cgroup: elsewhere.path,
      attachType: AttachType.CGROUP_INET4_CONNECT,
    })
    link.pin(join(linkPath(scratch.instance), 'new_connect4'))
  }
  assert.equal(queryCgroup(elsewhere.path, AttachType.CGROUP_INET4_CONNECT).programIds.length, 1)
  datapath.attach()
  await detached(() =>
    assert.deepEqual(queryCgroup(elsewhere.path, AttachType.CGROUP_INET4_CONNECT).programIds, []),
  )
  assert.equal(queryCgroup(scratch.options().cgroup, AttachType.CGROUP_INET4_CONNECT).programIds.length, 1)
})

test('an agent with another cgroup root takes its programs along', async () => {
  using scratch = new Scratch()
  using elsewhere = scratchCgroup()
  const attached = (cgroup: string): number[] =>
    [AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET_SOCK_RELEASE].map(
      type => queryCgroup(cgroup, type).programIds.length,
    )
  for (const cgroup of [scratch.options().cgroup, elsewhere.path]) {
    using datapath = await Datapath.open(scratch.options({ cgroup }))
    putInPlace(datapath)
  }
  await detached(() => assert.deepEqual(attached(scratch.options().cgroup), [0, 0]))
  assert.deepEqual(attached(elsewhere.path), [1, 1])
})

test('programs that are not attached are not loaded', async () => {
  using scratch = new Scratch()
  const bind = (): number =>
    queryCgroup(scratch.options().cgroup, AttachType.CGROUP_INET4_POST_BIND).programIds.length
  {
    using datapath = await Datapath.open(scratch.options({ protectNodePorts: true }))
    putInPlace(datapath)
    assert.equal(bind(), 1)
  }
  const mine = ownPrograms()
  using datapath = await Datapath.open(scratch.options())
  const loaded = ownPrograms().filter(name => !mine.includes(name))
  assert.ok(loaded.length >= 9 && !loaded.some(name => name.startsWith('post_bind')), loaded.join())
  datapath.attach()
  await detached(() => assert.equal(bind(), 0))
})

test('a cgroup that was removed and made again is found out and gets its programs back', async () => {
  using scratch = new Scratch()
  const { cgroup } = scratch.options()
  using datapath = await Datapath.open(scratch.options())
  putInPlace(datapath)
  assert.equal(datapath.fault(), undefined)
  for (let round = 0; round < 2; round++) {
    rmdirSync(cgroup)
    assert.throws(() => datapath.fault(), { code: 'NOT_FOUND' })
    assert.throws(() => datapath.attach(), { code: 'NOT_FOUND' })
    mkdirSync(cgroup)
    assert.match(datapath.fault() ?? '', /is attached to a cgroup that is not .* any more/)
    const open = openFds().length
    putInPlace(datapath)
    assert.equal(openFds().length, open, 'nothing of the cgroup before is kept open')
    assert.deepEqual([datapath.fault(), datapath.pinFault()], [undefined, undefined])
    assert.equal(queryCgroup(cgroup, AttachType.CGROUP_INET4_CONNECT).programIds.length, 1)
  }
})

test('links that are detached by hand are found out, and made again beside those that are not', async () => {
  using scratch = new Scratch()
  const { cgroup } = scratch.options()
  using datapath = await Datapath.open(scratch.options())
  putInPlace(datapath)
  const detach = (hook: string): void => {
    using link = openPinnedLink(join(linkPath(scratch.instance), hook))
    link.detach()
  }
  detach('connect4')
  assert.equal(datapath.fault(), `the link of connect4 was detached from ${cgroup}`)
  detach('recvmsg6')
  assert.equal(datapath.fault(), `the link of recvmsg6 was detached from ${cgroup}, and so for 1 more hooks`)
  datapath.attach()
  assert.equal(datapath.fault(), undefined)
  assert.match(
    datapath.pinFault() ?? '',
    /recvmsg6 and 1 more pins are gone/,
    'the new links are not pinned yet',
  )
  datapath.pin()
  assert.equal(datapath.pinFault(), undefined)
  assert.equal(queryCgroup(cgroup, AttachType.CGROUP_INET4_CONNECT).programIds.length, 1)
})

test('a pin that is taken away does not detach its program, and is made again', async () => {
  using scratch = new Scratch()
  using datapath = await Datapath.open(scratch.options())
  putInPlace(datapath)
  const attached = (): number =>
    queryCgroup(scratch.options().cgroup, AttachType.CGROUP_INET4_CONNECT).programIds.length
  const ids = (): number[] => {
    using link = openPinnedLink(join(linkPath(scratch.instance), 'connect4'))
    using map = openPinnedMap(join(livingPath(scratch.instance), 'affinity'))
    return [link.info().id, map.info.id]
  }
  const before = ids()
  rmSync(join(linkPath(scratch.instance), 'connect4'))
  assert.match(datapath.pinFault() ?? '', /^the pin .*\/link\/connect4 is gone$/)
  rmSync(livingPath(scratch.instance), { recursive: true })
  rmSync(generationPath(scratch.instance, 1), { recursive: true })
  assert.match(datapath.pinFault() ?? '', /gen-1\/svc4 and \d+ more pins are gone/)
  assert.equal(datapath.fault(), undefined)
  assert.equal(attached(), 1)
  datapath.pin()
  assert.equal(datapath.pinFault(), undefined)
  assert.deepEqual(ids(), before)
})

test('what somebody else has pinned in the place of a pin is replaced', async () => {
  using scratch = new Scratch()
  using datapath = await Datapath.open(scratch.options())
  putInPlace(datapath)
  const place = join(livingPath(scratch.instance), 'affinity')
  rmSync(place)
  datapath.map('rsk').pin(place)
  assert.match(datapath.pinFault() ?? '', /living\/affinity is gone/)
  datapath.pin()
  using found = openPinnedMap(place)
  assert.equal(found.info.id, datapath.map('affinity').info.id)
})

test('nothing stays open when an iterator cannot be attached', async () => {
  using scratch = new Scratch()
  using datapath = await Datapath.open(scratch.options())
  let links = 0
  using _ = interceptSyscalls((name, [command]) =>
    name === 'bpf' && command === BPF_LINK_CREATE && ++links === 2 ? -ENOMEM : undefined,
  )
  const before = openFds().length
  assert.throws(() => new SocketRecords(datapath, () => Promise.resolve()), { code: 'NO_MEMORY' })
  assert.equal(openFds().length, before)
})

test('backends that could not all be named as dead are not looked for later', async () => {
  using scratch = new Scratch()
  using datapath = await Datapath.open(scratch.options())
  await using records = new SocketRecords(datapath, () => Promise.resolve())
  const dead = keyedMap(datapath.dead, deadKey, u8)
  let deleted = false
  {
    // The map takes the first of two and has no room for the second.
    using _ = interceptSyscalls((name, [command]) => {
      if (name !== 'bpf' || command !== BPF_MAP_UPDATE_BATCH || deleted) return undefined
      deleted = true
      dead.update({ backend: 1, generation: 0 }, 1)
      return -ENOMEM
    })
    const named = [1, 2].map(id => ({ id, generation: 0 }))
    await assert.rejects(records.destroyStale(named), { code: 'NO_MEMORY' })
  }
  assert.deepEqual([...dead.entries()], [])
})
