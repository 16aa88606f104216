import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FileReader, type FileReaderOptions, type ReadFile } from './file-reader.ts'
import { manifest, manifestList, TemporaryDirectory } from './fixtures.ts'
import { ManifestFiles } from './manifest-files.ts'
import { parsePart } from './reading.ts'

const IN_THREAD: FileReaderOptions = { threadBytes: 0 }
const HERE: FileReaderOptions = { threadBytes: Number.POSITIVE_INFINITY }

const many = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`)

const read = (reader: FileReader, path: string) =>
  reader.read({ path, maxBytes: 1 << 30, knownHash: '', known: [] }, 1)

/** Without what differs from one look at the file to the next. */
function comparable({ reading, parts }: ReadFile) {
  const { signature: _, ...rest } = { signature: undefined, ...reading }
  return { ...rest, parts }
}

async function gone(reader: FileReader): Promise<void> {
  const endMs = performance.now() + 10_000
  while (reader.hasThread && performance.now() < endMs) await delay(5)
  assert.equal(reader.hasThread, false)
}

describe('file reader', () => {
  it('gives the same in a thread as without one', async () => {
    using directory = new TemporaryDirectory()
    await using inThread = new FileReader(IN_THREAD)
    await using here = new FileReader(HERE)
    const texts = [
      manifestList(many(2_000)),
      JSON.stringify({ kind: 'List', items: [{ kind: 'Pod' }, { kind: 'Service', apiVersion: 'v1' }] }),
      `${manifest('a')}  externalIPs: [x]\n---\na: b: c\n`,
      '',
      '\xff',
    ]
    for (const text of texts) {
      const path = directory.write('a.yaml', text)
      const [one, other] = [await read(inThread, path), await read(here, path)]
      assert.deepEqual(comparable(one), comparable(other))
    }
    assert.deepEqual(comparable(await read(inThread, directory.join('b'))), { outcome: 'gone', parts: [] })
    assert.deepEqual([inThread.hasThread, here.hasThread], [true, false])
  })

  it('starts a thread for large files only, and ends it when there is nothing to do', async () => {
    using directory = new TemporaryDirectory()
    const path = directory.write('a.yaml', manifest('a'))
    await using reader = new FileReader({ threadBytes: 100, threadIdleMs: 20 })
    const request = { path, maxBytes: 1 << 30, knownHash: '', known: [] }
    await reader.read(request, 99)
    await reader.read({ ...request, path: directory.write('a.json', '{"kind": "Pod"}') }, 399)
    assert.equal(reader.hasThread, false)
    for (let i = 0; i < 2; i++) {
      assert.equal((await reader.read(request, 100)).reading.outcome, 'manifest')
      await gone(reader)
    }
  })

  it('a file at which the thread breaks is unreadable; the next one is read', async () => {
    using directory = new TemporaryDirectory()
    // In flow style it is read as a whole.
    const huge = `{kind: List, items: [${many(300_000)
      .map(name => `{kind: Pod, name: ${name}}`)
      .join(', ')}]}`
    const large = directory.write('a.yaml', huge)
    const small = directory.write('b.yaml', manifest('b'))
    await using reader = new FileReader({ ...IN_THREAD, threadHeapMiB: 32 })
    const { reading, parts } = await read(reader, large)
    assert.ok(reading.outcome === 'unreadable')
    assert.match(reading.message, /^cannot be read: .*memory/)
    assert.deepEqual([reading.signature, parts, reader.hasThread], [undefined, [], false])
    const next = await read(reader, small)
    assert.deepEqual([next.reading.outcome, next.parts.flatMap(parsePart).length], ['manifest', 1])
  })

  it('closed while it reads, it answers', async () => {
    using directory = new TemporaryDirectory()
    const path = directory.write('a.yaml', manifestList(many(5_000)))
    const reader = new FileReader(IN_THREAD)
    const answer = read(reader, path)
    await reader[Symbol.asyncDispose]()
    assert.equal((await answer).reading.outcome, 'unreadable')
  })

  it('keeps a process alive while it reads, not when it is idle', () => {
    using directory = new TemporaryDirectory()
    const path = directory.write('a.yaml', manifestList(many(10)))
    const module = fileURLToPath(new URL('./file-reader.ts', import.meta.url))
    const script = `import { FileReader } from ${JSON.stringify(module)}
      const reader = new FileReader({ threadBytes: 0, threadIdleMs: 60_000 })
      const request = { path: ${JSON.stringify(path)}, maxBytes: 1 << 30, knownHash: '', known: [] }
      reader.read(request, 1).then(({ reading }) => process.stdout.write(reading.outcome))`
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    assert.deepEqual([status, stdout], [0, 'manifest'])
  })
})

describe('manifest files, in a thread', () => {
  it('a file larger than 2 MiB in any style is read', async () => {
    using directory = new TemporaryDirectory()
    const services = many(30_000).map(
      name =>
        `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: shop}, spec: {clusterIP: None}}`,
    )
    const path = directory.write(
      'a.yaml',
      `kind: List\napiVersion: v1\nitems: [\n ${services.join(',\n ')}]\n`,
    )
    await using files = new ManifestFiles([path])
    await files.refresh()
    assert.deepEqual([[...files.objects()].length, files.problems()], [30_000, []])
    assert.equal(files.whereIs('Service/shop/s29999'), `${path}:1:1`)
  })

  it('a file at which the thread broke is looked at again, and keeps its last good state until then', async () => {
    using directory = new TemporaryDirectory()
    const path = directory.write('a.yaml', manifestList(['a', 'b']))
    await using files = new ManifestFiles([path], { threadBytes: 1 << 20, threadHeapMiB: 32 })
    await files.refresh()
    directory.write('a.yaml', `{kind: List, items: [${Array(300_000).fill('{kind: Pod}').join(', ')}]}`)
    for (let i = 0; i < 2; i++) {
      await files.refresh()
      assert.equal([...files.objects()].length, 2)
      assert.match(files.problems()[0]?.message ?? '', /^cannot be read: .*memory/)
      assert.equal(files.problems()[1]?.message, 'its last good state stays in force')
    }
    directory.write('a.yaml', manifestList(['a', 'c']))
    assert.deepEqual(await files.refresh(), new Set(['a', 'b', 'c'].map(name => `Service/shop/${name}`)))
    assert.deepEqual(files.problems(), [])
  })
})
