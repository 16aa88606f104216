import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { manifest, manifestList, TemporaryDirectory } from './fixtures.ts'
import { ManifestFiles } from './manifest-files.ts'

const names = (files: ManifestFiles) =>
  [...files.objects()]
    .map(it => it.name)
    .sort()
    .join(' ')
const said = (files: ManifestFiles, directory: TemporaryDirectory) =>
  files.problems().map(it => `${it.where.replace(`${directory.path}/`, '')}: ${it.message}`)
const keys = (...of: string[]) => new Set(of.map(name => `Service/shop/${name}`))

describe('manifest files', () => {
  it('a directory: *.yaml, *.yml and *.json directly in it, no names that begin with a dot', async () => {
    using directory = new TemporaryDirectory()
    for (const name of ['a.yaml', 'b.yml', '.c.yaml', 'd.txt', 'e.yaml~'])
      directory.write(name, manifest(name.replaceAll(/\W/g, '')))
    directory.write('f.json', '{"kind":"Node","apiVersion":"v1","metadata":{"name":"fjson"}}')
    mkdirSync(directory.join('g.yaml'))
    mkdirSync(directory.join('h'))
    directory.write('h/h.yaml', manifest('h'))
    symlinkSync('h/h.yaml', directory.join('i.yaml'))
    const files = new ManifestFiles([`${directory.path}/`])
    await files.refresh()
    assert.equal(names(files), 'ayaml byml fjson h')
    assert.deepEqual(files.problems(), [])
  })

  it('a file: whatever its name', async () => {
    using directory = new TemporaryDirectory()
    const files = new ManifestFiles([
      directory.write('.x', manifest('a')),
      directory.write('y', manifest('b')),
    ])
    await files.refresh()
    assert.equal(names(files), 'a b')
  })

  it('reads only what has changed, and tells which objects that concerns', async () => {
    using directory = new TemporaryDirectory()
    const old = new Date(Date.now() - 60_000)
    for (const name of ['a', 'b']) utimesSync(directory.write(`${name}.yaml`, manifest(name)), old, old)
    const files = new ManifestFiles([directory.path])
    assert.deepEqual(await files.refresh(), keys('a', 'b'))
    assert.deepEqual(await files.refresh(), new Set())
    directory.write('b.yaml', manifest('c'))
    assert.deepEqual(await files.refresh(), keys('b', 'c'))
    assert.equal(names(files), 'a c')
    rmSync(directory.join('a.yaml'))
    assert.deepEqual(await files.refresh(), keys('a'))
  })

  it('a second change within one tick of the file system, of the same length, is seen', async () => {
    using directory = new TemporaryDirectory()
    const files = new ManifestFiles([directory.path])
    for (let i = 0; i < 20; i++) {
      directory.write('a.yaml', manifest(`n${i % 10}`))
      await files.refresh()
      assert.equal(names(files), `n${i % 10}`)
    }
  })

  it('an object whose text has not changed is the same object, and knows its new place', async () => {
    using directory = new TemporaryDirectory()
    const path = directory.write('a.yaml', manifestList(['a', 'b', 'c']))
    const files = new ManifestFiles([path])
    await files.refresh()
    const [a, c] = [files.get('Service/shop/a'), files.get('Service/shop/c')]
    directory.write('a.yaml', manifestList(['b', 'c', 'a', 'd']).replace('80', '81'))
    await files.refresh()
    assert.equal(names(files), 'a b c d')
    assert.ok(files.get('Service/shop/a') === a && files.get('Service/shop/c') === c)
    const b = files.get('Service/shop/b')
    assert.equal(b?.kind === 'Service' && b.ports[0]?.port, 81)
    assert.deepEqual(
      ['b', 'c', 'a', 'd'].map(name => files.whereIs(`Service/shop/${name}`)),
      [3, 12, 21, 30].map(line => `${path}:${line}:3`),
    )
  })

  it('looks at single files when told which', async () => {
    using directory = new TemporaryDirectory()
    const a = directory.write('a.yaml', manifest('a'))
    const b = directory.write('b.yaml', manifest('b'))
    const files = new ManifestFiles([directory.path])
    await files.refresh()
    writeFileSync(a, manifest('a2'))
    writeFileSync(b, manifest('b2'))
    const c = directory.write('c.yaml', manifest('c'))
    assert.deepEqual(await files.refresh(new Set([b, c])), keys('b', 'b2', 'c'))
    assert.equal(names(files), 'a b2 c')
    rmSync(b)
    assert.deepEqual(await files.refresh(new Set([b, directory.join('never.yaml')])), keys('b2'))
    assert.equal(names(files), 'a c')
  })

  const broken: [string, string, RegExp][] = [
    ['half-written', manifest('a').slice(0, 29), /has no metadata/],
    ['unparsable', `${manifest('b')}---\na: b: c\n`, /^a\.yaml:11:5: bad indentation/],
    ['emptied', '', /^a\.yaml: is empty$/],
    ['no text', '\xff\xfe', /^a\.yaml: is not UTF-8 text$/],
  ]
  for (const [title, text, message] of broken) {
    it(`a file that is ${title} keeps its last good state, and everything else goes on`, async () => {
      using directory = new TemporaryDirectory()
      directory.write('a.yaml', manifest('a'))
      directory.write('z.yaml', manifest('z'))
      const files = new ManifestFiles([directory.path])
      await files.refresh()
      writeFileSync(directory.join('a.yaml'), text, 'latin1')
      directory.write('z.yaml', manifest('y'))
      await files.refresh()
      assert.equal(names(files), 'a y')
      const problems = said(files, directory)
      assert.match(problems[0] ?? '', message)
      assert.equal(problems.at(-1), 'a.yaml: its last good state stays in force')
      assert.deepEqual(files.neverGood, [])
      await files.refresh()
      assert.deepEqual(said(files, directory), problems, 'and goes on saying so')
      directory.write('a.yaml', manifest('a'))
      await files.refresh()
      assert.deepEqual([names(files), files.problems()], ['a y', []])
    })
  }

  it('a file that was never good gives what can be read of it, and is remembered', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', `${manifest('a')}---\na: b: c\n`)
    const files = new ManifestFiles([directory.path])
    await files.refresh()
    assert.deepEqual(
      [names(files), files.isComplete, files.neverGood],
      ['a', true, [directory.join('a.yaml')]],
    )
    assert.equal(said(files, directory).at(-1), 'a.yaml: only what could be read of it is used')
    directory.write('a.yaml', manifest('b'))
    await files.refresh()
    assert.deepEqual([names(files), files.neverGood], ['b', []])
  })

  it('a file that is too large is said to be', async () => {
    using directory = new TemporaryDirectory()
    directory.write('a.yaml', manifest('a', 'b'))
    directory.write('b.yaml', manifest('c'))
    const files = new ManifestFiles([directory.path], { maxFileBytes: 150 })
    await files.refresh()
    assert.deepEqual([names(files), said(files, directory)[0]], ['c', 'a.yaml: is larger than 150 bytes'])
  })

  it('a directory that is gone keeps its last good state, another one in its place counts', async () => {
    using directory = new TemporaryDirectory()
    mkdirSync(directory.join('d'))
    directory.write('d/a.yaml', manifest('a'))
    const files = new ManifestFiles([directory.join('d')])
    await files.refresh()
    renameSync(directory.join('d'), directory.join('old'))
    await files.refresh()
    assert.equal(names(files), 'a')
    assert.match(
      said(files, directory).join(),
      /^d: cannot be read: ENOENT: .*: its last good state stays in force$/,
    )
    mkdirSync(directory.join('d'))
    directory.write('d/b.yaml', manifest('b'))
    await files.refresh()
    assert.deepEqual([names(files), files.problems()], ['b', []])
  })

  it('a PATH that is not there yet is waited for', async () => {
    using directory = new TemporaryDirectory()
    const files = new ManifestFiles([directory.write('a', manifest('a')), directory.join('later')])
    await files.refresh()
    assert.deepEqual([names(files), files.isComplete], ['a', false])
    assert.match(said(files, directory).join(), /^later: cannot be read: ENOENT: no such file or directory$/)
    directory.write('later', manifest('b'))
    await files.refresh()
    assert.deepEqual([names(files), files.isComplete], ['a b', true])
  })

  it('a file PATH that goes takes its objects with it', async () => {
    using directory = new TemporaryDirectory()
    const files = new ManifestFiles([
      directory.write('a', manifest('a')),
      directory.write('b', manifest('b')),
    ])
    await files.refresh()
    rmSync(directory.join('a'))
    await files.refresh()
    assert.deepEqual([names(files), files.isComplete], ['b', true])
  })

  it('unknown kinds of all files are noted once a kind', async () => {
    using directory = new TemporaryDirectory()
    const pod = 'apiVersion: v1\nkind: Pod\n'
    directory.write('a.yaml', `${pod}---\n${pod}`)
    directory.write('b.yaml', pod)
    const files = new ManifestFiles([directory.path])
    await files.refresh()
    assert.deepEqual(files.notes(), [
      {
        where: `${directory.join('a.yaml')}:1:1`,
        field: 'kind',
        message: 'Pod (v1) is of no use here: skipped, as are 2 more',
      },
    ])
    assert.deepEqual(files.problems(), [])
  })
})
