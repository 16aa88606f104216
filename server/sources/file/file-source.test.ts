import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Store } from '../../store/store.ts'
import { FileSource, type FileSourceOptions } from './file-source.ts'
import { manifest, manifestList, TemporaryDirectory } from './fixtures.ts'

/** Polls never come to help unless a test asks. */
const BY_EVENTS: FileSourceOptions = { pollIntervalMs: 600_000, debounceMs: 5 }

const names = (store: Store) =>
  [...store.services()]
    .map(it => it.name)
    .sort()
    .join(' ')

async function becomes(store: Store, expected: string): Promise<void> {
  const endMs = performance.now() + 10_000
  while (names(store) !== expected && performance.now() < endMs) await delay(5)
  assert.equal(names(store), expected)
}

async function started(paths: string[], options: FileSourceOptions = BY_EVENTS) {
  const store = new Store()
  const source = new FileSource(store, paths, options)
  await source.start()
  return { store, source }
}

describe('file source', () => {
  it('is complete after its first reading, not before', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a'))
    const store = new Store()
    await using source = new FileSource(store, [directory.path], BY_EVENTS)
    assert.equal(store.isComplete(), false)
    await source.start()
    assert.deepEqual([store.isComplete(), names(store)], [true, 'a'])
  })

  it('waits for a PATH that is not there yet', async () => {
    using directory = new TemporaryDirectory()
    const { store, source } = await started([directory.join('d')])
    await using _ = source
    assert.equal(store.isComplete(), false)
    mkdirSync(directory.join('d'))
    directory.write('d/a.yaml', manifest('a'))
    await becomes(store, 'a')
    assert.equal(store.isComplete(), true)
  })

  it('follows files that are written, replaced by rename, and removed', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a'))
    const { store, source } = await started([directory.path])
    await using _ = source
    directory.write('b.yaml', manifest('b'))
    await becomes(store, 'a b')
    directory.write('.b.tmp', manifest('b2'))
    renameSync(directory.join('.b.tmp'), directory.join('b.yaml'))
    await becomes(store, 'a b2')
    appendFileSync(directory.join('a.yaml'), `---\n${manifest('a2')}`)
    await becomes(store, 'a a2 b2')
    rmSync(directory.join('a.yaml'))
    await becomes(store, 'b2')
  })

  it('follows a directory that is replaced by rename, and what happens in the new one', async () => {
    using directory = new TemporaryDirectory()
    for (const name of ['d', 'e']) {
      mkdirSync(directory.join(name))
      directory.write(`${name}/${name}.yaml`, manifest(name))
    }
    const { store, source } = await started([directory.join('d')])
    await using _ = source
    renameSync(directory.join('d'), directory.join('old'))
    renameSync(directory.join('e'), directory.join('d'))
    await becomes(store, 'e')
    directory.write('d/f.yaml', manifest('f'))
    await becomes(store, 'e f')
    directory.write('old/d.yaml', manifest('x'))
    await delay(50)
    assert.equal(names(store), 'e f')
  })

  it('follows a mounted ConfigMap: ..data is swapped, the files are links through it', async () => {
    using directory = new TemporaryDirectory()
    const publish = (version: string, name: string) => {
      mkdirSync(directory.join(`..${version}`))
      directory.write(`..${version}/a.yaml`, manifest(name))
      symlinkSync(`..${version}`, directory.join('..data_tmp'))
      renameSync(directory.join('..data_tmp'), directory.join('..data'))
    }
    publish('1', 'one')
    symlinkSync('..data/a.yaml', directory.join('a.yaml'))
    const { store, source } = await started([directory.path])
    await using _ = source
    assert.equal(names(store), 'one')
    publish('2', 'two')
    rmSync(directory.join('..1'), { recursive: true })
    await becomes(store, 'two')
    const { store: byFile, source: fileSource } = await started([directory.join('a.yaml')])
    await using __ = fileSource
    publish('3', 'three')
    await becomes(store, 'three')
    await becomes(byFile, 'three')
  })

  it('follows a file PATH of any name in a directory that is a PATH too', async () => {
    using directory = new TemporaryDirectory()
    const { store, source } = await started([directory.write('services', manifest('a')), directory.path])
    await using _ = source
    directory.write('services', manifest('b'))
    await becomes(store, 'b')
    directory.write('other.yaml', manifest('c'))
    await becomes(store, 'b c')
  })

  it('follows a PATH that is a link to a directory, and is swapped', async () => {
    using directory = new TemporaryDirectory()
    for (const name of ['one', 'two']) {
      mkdirSync(directory.join(name))
      directory.write(`${name}/a.yaml`, manifest(name))
    }
    symlinkSync('one', directory.join('current'))
    const { store, source } = await started([directory.join('current')])
    await using _ = source
    symlinkSync('two', directory.join('next'))
    renameSync(directory.join('next'), directory.join('current'))
    await becomes(store, 'two')
    directory.write('two/b.yaml', manifest('b'))
    await becomes(store, 'b two')
  })

  it('the poll sees what events do not tell: a link in the middle of a chain is swapped', async () => {
    using directory = new TemporaryDirectory()
    for (const name of ['in', 'middle', 'one', 'two']) mkdirSync(directory.join(name))
    directory.write('one/a', manifest('one'))
    directory.write('two/a', manifest('two'))
    symlinkSync('../one/a', directory.join('middle/a'))
    symlinkSync('../middle/a', directory.join('in/a.yaml'))
    const { store, source } = await started([directory.join('in')], { pollIntervalMs: 20 })
    await using _ = source
    symlinkSync('../two/a', directory.join('middle/b'))
    renameSync(directory.join('middle/b'), directory.join('middle/a'))
    await becomes(store, 'two')
  })

  it('a burst of writes is a bounded number of readings, and each is bounded in delay', async () => {
    using directory = new TemporaryDirectory()
    let readings = 0
    const { store, source } = await started([directory.path], {
      ...BY_EVENTS,
      debounceMs: 40,
      maxDebounceMs: 120,
      onRead: () => readings++,
    })
    await using _ = source
    const before = readings
    for (let i = 0; i < 50; i++) {
      directory.write('a.yaml', manifest(`n${i}`))
      await delay(5)
    }
    assert.ok(readings > before, 'quiet never came, and yet it was read')
    await becomes(store, 'n49')
    assert.ok(readings - before < 15, `${readings - before} readings`)
  })

  it('rescan: the store has it when it resolves, however many ask at once', async () => {
    using directory = new TemporaryDirectory()
    const { store, source } = await started([directory.path], {
      ...BY_EVENTS,
      debounceMs: 60_000,
      maxDebounceMs: 60_000,
    })
    await using _ = source
    for (let i = 0; i < 10; i++) {
      directory.write('a.yaml', manifest(`n${i}`))
      const all = [source.rescan(), source.rescan()]
      directory.write('b.yaml', manifest(`m${i}`))
      await Promise.all([...all, source.rescan()])
      assert.equal(names(store), `m${i} n${i}`)
    }
  })

  it('an unchanged object in a changed file does not reach the store', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a', 'b'))
    const { store, source } = await started([directory.path])
    await using _ = source
    using feed = store.subscribe(() => {})
    directory.write('a.yaml', `# a comment\n${manifest('b', 'a', 'c')}`)
    await source.rescan()
    assert.deepEqual([...feed.take().services], ['shop/c'])
  })

  it('one file in two: the winner steps back when its file goes', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a'))
    directory.write('b.yaml', manifest('a').replace('80', '81'))
    const { store, source } = await started([directory.path])
    await using _ = source
    const port = () => store.service('shop/a')?.ports[0]?.port
    assert.deepEqual([port(), source.problems().length], [81, 1])
    rmSync(directory.join('b.yaml'))
    await source.rescan()
    assert.deepEqual([port(), source.problems()], [80, []])
  })

  it('objects beyond the bound of the store are reported, and come in when there is room', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a'))
    directory.write('b.yaml', manifest('b'))
    const store = new Store({ maxObjects: 1 })
    await using source = new FileSource(store, [directory.path], BY_EVENTS)
    await source.start()
    assert.equal(names(store), 'a')
    assert.deepEqual(
      source.problems().map(it => `${it.where}: ${it.message}`),
      [`${directory.join('b.yaml')}:1:1: is not used: more than 1 objects of kind Service`],
    )
    rmSync(directory.join('a.yaml'))
    await source.rescan()
    assert.deepEqual([names(store), source.problems()], ['b', []])
  })

  it('is whole once each of its files was good or is gone', async () => {
    using directory = new TemporaryDirectory()
    const broken = 'a: b: c\n'
    directory.write('a.yaml', manifest('a'))
    directory.write('b.yaml', broken)
    directory.write('c.yaml', broken)
    const { store, source } = await started([directory.path])
    await using _ = source
    assert.deepEqual([store.isComplete(), store.isWhole(), names(store)], [true, false, 'a'])
    assert.deepEqual(source.neverGoodFiles().sort(), [directory.join('b.yaml'), directory.join('c.yaml')])
    rmSync(directory.join('c.yaml'))
    await source.rescan()
    assert.equal(store.isWhole(), false)
    directory.write('b.yaml', '# nothing\n')
    await source.rescan()
    assert.equal(store.isWhole(), true)
    directory.write('a.yaml', broken)
    await source.rescan()
    assert.deepEqual([store.isWhole(), names(store)], [true, 'a'], 'its last good state is all of it')
  })

  it('a large file reaches the store as one update, while others have their turns', async () => {
    using directory = new TemporaryDirectory()
    const all = Array.from({ length: 3_000 }, (_, i) => `s${i}`)
    directory.write('a.yaml', manifestList(all))
    const { store, source } = await started([directory.path], { ...BY_EVENTS, threadBytes: 0 })
    await using _ = source
    directory.write('a.yaml', manifestList(all.map(name => `t${name}`)))
    const counts = new Set<number>()
    let turns = 0
    const watching = setInterval(() => {
      turns++
      if (!store.isUpdating) counts.add([...store.services()].length)
    }, 1)
    await source.rescan()
    clearInterval(watching)
    assert.deepEqual([[...store.services()].length, [...counts].filter(it => it !== 3_000)], [3_000, []])
    assert.ok(turns > 3, `${turns} turns`)
  })

  it('closed while it reads a large file, it ends with that', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifestList(Array.from({ length: 500 }, (_, i) => `s${i}`)))
    const store = new Store()
    const source = new FileSource(store, [directory.path], { ...BY_EVENTS, threadBytes: 0 })
    const reading = source.start()
    await source[Symbol.asyncDispose]()
    await reading
    assert.equal(store.isUpdating, false)
  })

  it('closed, it reads no more', async () => {
    using directory = new TemporaryDirectory()
    const { store, source } = await started([directory.path], { debounceMs: 0, pollIntervalMs: 5 })
    await source[Symbol.asyncDispose]()
    directory.write('a.yaml', manifest('a'))
    await delay(50)
    assert.equal(names(store), '')
  })
})
