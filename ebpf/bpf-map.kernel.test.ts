import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { createMap, openMapById, openPinnedMap } from './bpf-map.ts'
import { u32, u64 } from './codec.ts'
import { keyedMap } from './keyed-map.ts'
import type { MapSpec } from './map-spec.ts'
import { memoryMap } from './memory-map.ts'
import { ensureBpffs, onBpffs, unpin } from './pin.ts'
import { MapFlag, MapType } from './sys/bpf-enum.ts'
import { failOnLeakedFds, interceptSyscalls, scratchPins } from './testing.ts'

failOnLeakedFds()

const spec: MapSpec = { name: 'svc4', type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 10, flags: 1 }

test('a map knows its shape and can be found by its id', () => {
  using map = createMap(spec)
  const { id, btfId, btfKeyTypeId, btfValueTypeId, ...shape } = map.info
  assert.deepEqual(shape, spec)
  assert.ok(id > 0)
  using again = openMapById(id)
  assert.deepEqual(again.info, map.info)
  assert.deepEqual([btfId, btfKeyTypeId, btfValueTypeId], [0, 0, 0])
})

test('a name longer than the kernel takes is cut there and kept here', () => {
  using map = createMap({ ...spec, name: 'a_name_of_more_than_15' })
  assert.equal(map.name, 'a_name_of_more_than_15')
  assert.equal(map.info.name, 'a_name_of_more_')
})

test('a pinned map outlives its descriptor and is the same map when opened', () => {
  using pins = scratchPins()
  const path = `${pins.path}/deep/below/svc4`
  {
    using map = createMap(spec)
    keyedMap(map, u32, u64).update(1, 2n)
    map.pin(path)
    assert.throws(() => map.pin(path), { code: 'EXISTS' })
  }
  assert.equal(statSync(`${pins.path}/deep`).mode & 0o777, 0o700)
  using map = openPinnedMap(path, { expected: spec })
  assert.equal(keyedMap(map, u32, u64).lookup(1), 2n)
  assert.equal(unpin(path), true)
  assert.equal(unpin(path), false)
  assert.ok(!existsSync(path))
})

test('a pinned map of another layout is refused, each field that differs named', () => {
  using pins = scratchPins()
  using map = createMap(spec)
  map.pin(`${pins.path}/svc4`)
  const open = (expected: Partial<MapSpec>) => openPinnedMap(`${pins.path}/svc4`, { expected })
  assert.throws(() => open({ ...spec, valueSize: 16, type: MapType.LRU_HASH }), {
    code: 'LAYOUT',
    message:
      /svc4: map svc4 has another layout: type is HASH, expected LRU_HASH; valueSize is 8, expected 16$/,
  })
  assert.throws(() => open({ flags: MapFlag.MMAPABLE }), { message: /flags is 0x1, expected 0x400$/ })
  assert.throws(() => open({ maxEntries: 11 }), { message: /maxEntries is 10, expected 11$/ })
  open({ keySize: 4 })[Symbol.dispose]()
})

test('a map opened read only can be read and not written', () => {
  using pins = scratchPins()
  using map = createMap(spec)
  keyedMap(map, u32, u64).update(1, 2n)
  map.pin(`${pins.path}/svc4`)
  using reader = openPinnedMap(`${pins.path}/svc4`, { readOnly: true })
  const typed = keyedMap(reader, u32, u64)
  assert.deepEqual([...typed.entries()], [[1, 2n]])
  assert.throws(() => typed.update(1, 3n), { code: 'PERMISSION' })

  using array = createMap({ ...spec, name: 'list', type: MapType.ARRAY, flags: MapFlag.MMAPABLE })
  memoryMap(array, u64).store64(1, 5n)
  array.pin(`${pins.path}/list`)
  using listReader = openPinnedMap(`${pins.path}/list`, { readOnly: true })
  const memory = memoryMap(listReader, u64)
  assert.equal(memory.load64(1), 5n)
  assert.throws(() => memory.store64(1, 6n), { code: 'PERMISSION' })
  assert.throws(() => memory.write(1, [6n]), { code: 'PERMISSION' })
  assert.throws(() => keyedMap(listReader, u32, u64).update(1, 6n), { code: 'PERMISSION' })
})

test('what cannot be opened or pinned is an error that names the path', () => {
  using pins = scratchPins()
  assert.throws(() => openPinnedMap(`${pins.path}/none`), { code: 'NOT_FOUND', message: /none: ENOENT/ })
  assert.throws(() => openMapById(0xffff_fff0), { code: 'NOT_FOUND' })
  using map = createMap(spec)
  assert.throws(() => map.pin('/tmp/kpng-no-bpffs'), { code: 'INVALID', message: /not on a bpf file system/ })
})

test('a map that cannot be made is an error that names it', () => {
  assert.throws(() => createMap({ ...spec, keySize: 0 }), {
    code: 'INVALID',
    message: 'creating map svc4: EINVAL',
  })
})

test('a mounted bpf file system is left alone, another directory gets one', () => {
  const mounts: string[] = []
  using _ = interceptSyscalls(name => {
    if (name !== 'mount') return undefined
    mounts.push(name)
    return -1
  })
  ensureBpffs()
  assert.deepEqual(mounts, [])
  assert.ok(!onBpffs('/proc'))
  assert.throws(() => ensureBpffs('/proc'), {
    code: 'PERMISSION',
    message: /\/proc: EPERM \(this takes CAP_SYS_ADMIN/,
  })
  assert.equal(mounts.length, 1)
})

test('too little locked memory is raised, once, and the map made', () => {
  const seen: string[] = []
  let refusals = 2
  using _ = interceptSyscalls((name, [command]) => {
    if (name === 'prlimit64') {
      seen.push('raise')
      return 0
    }
    if (name !== 'bpf' || command !== 0 || refusals === 0) return undefined
    refusals--
    seen.push('refuse')
    return -1
  })
  assert.throws(
    () => {
      using map = createMap(spec)
      refusals = 1
      assert.equal(map.info.name, 'svc4')
      createMap(spec)
    },
    { code: 'PERMISSION' },
  )
  assert.deepEqual(seen, ['refuse', 'raise', 'refuse'])
})
