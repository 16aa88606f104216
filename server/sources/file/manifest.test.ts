import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { isRecord } from '../../objects/fields.ts'
import { objectKey } from '../../objects/types.ts'
import { readManifest } from './manifest.ts'
import { parseText } from './parse-text.ts'
import { parseYaml } from './yaml.ts'

const DUMP = fileURLToPath(new URL('../../../examples/cluster/dump.yaml', import.meta.url))

const SERVICE =
  'apiVersion: v1\nkind: Service\nmetadata: {name: NAME, namespace: shop}\nspec:\n  clusterIP: 10.96.0.1\n'
const service = (name: string, more = '') => SERVICE.replace('NAME', name) + more
const LIST_ITEM =
  '- apiVersion: v1\n  kind: Service\n  metadata:\n    name: NAME\n    namespace: shop\n  spec:\n    clusterIP: 10.96.0.1\n'
const item = (name: string, more = '') => LIST_ITEM.replace('NAME', name) + more
const list = (...items: string[]) =>
  `apiVersion: v1\nitems:\n${items.join('')}kind: List\nmetadata:\n  resourceVersion: ""\n`

function read(text: string) {
  const { objects, problems, unknownKinds, damaged } = readManifest(text, 'f')
  return {
    keys: objects.map(it => ('object' in it ? objectKey(it.object).slice('Service/shop/'.length) : 'known')),
    lines: objects.map(it => `${it.line}:${it.column}`),
    problems: problems.map(it => `${it.where} ${it.field}: ${it.message}`),
    unknown: unknownKinds.map(it => `${it.where} ${it.type.kind} ${it.count}`),
    damaged,
  }
}

describe('a manifest file', () => {
  const shapes: [string, string, string[]][] = [
    ['several documents', `${service('a')}---\n${service('b')}`, ['a', 'b']],
    ['a List', list(item('a'), item('b')), ['a', 'b']],
    [
      'a List with an item that is not simple',
      list(item('a'), item('b', '  x: !!str 1\n'), item('c')),
      ['a', 'b', 'c'],
    ],
    ['a List with anchors across items', list(item('a', '  x: &x 1\n'), item('b', '  y: *x\n')), ['a', 'b']],
    [
      'a List in flow style',
      'kind: List\napiVersion: v1\nitems: [{apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}, spec: {clusterIP: None}}]\n',
      ['a'],
    ],
    ['a List among documents', `${service('a')}---\n${list(item('b'))}---\n${service('c')}`, ['a', 'b', 'c']],
    [
      'a ServiceList, whose items do not name their kind',
      'kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: a, namespace: shop}\n  spec: {clusterIP: None}\n',
      ['a'],
    ],
    [
      'JSON',
      '{"kind":"List","apiVersion":"v1","items":[{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"shop"},"spec":{"clusterIP":"None"}}]}',
      ['a'],
    ],
    [
      'a List in a List',
      'kind: List\napiVersion: v1\nitems:\n- kind: List\n  apiVersion: v1\n  items:\n' +
        item('a').replace(/^/gm, '  ').trimEnd(),
      ['a'],
    ],
    [
      'a List with merge keys',
      `kind: List\napiVersion: v1\nmetadata: &m {namespace: shop}\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {<<: *m, name: a}\n  spec: {clusterIP: None}\n${item('b')}`,
      ['a', 'b'],
    ],
    ['a List with CRLF', list(item('a'), item('b')).replaceAll('\n', '\r\n'), ['a', 'b']],
    [
      'a List in several lines of flow style',
      list(item('a')).replace(
        /items:[\s\S]*(?=kind: List)/,
        'items: [\n  {apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}, spec: {clusterIP: None}}\n  ]\n',
      ),
      ['a'],
    ],
    ['an empty List', 'kind: List\napiVersion: v1\nitems: []\n', []],
    ['nothing', '# nothing\n---\n', []],
  ]
  for (const [title, text, expected] of shapes) {
    it(`may be ${title}`, () => {
      const { keys, problems, damaged } = read(text)
      assert.deepEqual({ keys, problems, damaged }, { keys: expected, problems: [], damaged: false })
    })
  }

  const bad = '  externalIPs:\n  - 192.0.2.1\n  - nonsense\n'
  const places: [string, string, string][] = [
    ['a document', `---\n# x\n${service('a', bad)}`, 'f:10:5'],
    ['a document that is not simple', `---\n${service('a', bad)}  x: !!str 1\n`, 'f:9:5'],
    ['an item of a List', list(item('a'), item('b', `${bad.replace(/^/gm, '  ').trimEnd()}\n`)), 'f:19:7'],
    [
      'JSON',
      '{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"shop"},\n\t"spec":{"clusterIP":"10.96.0.1","externalIPs":["nonsense"]}}',
      'f:2:49',
    ],
    [
      'an item that needs another one',
      list(item('a', '  x: &x nonsense\n'), item('b', '    externalIPs: [1.2.3.4,\n      *x]\n')),
      'f:19:7',
    ],
  ]
  for (const [title, text, where] of places) {
    it(`says file, line, column and field of what is wrong in ${title}`, () => {
      const { problems, keys, damaged } = read(text)
      assert.equal(problems.length, 1)
      assert.match(
        problems[0] ?? '',
        /^f:\d+:\d+ spec\.externalIPs\[\d\]: Service shop\/\w: is not an IP address: "nonsense": ignored$/,
      )
      assert.equal(problems[0]?.split(' ')[0], where)
      assert.ok(keys.length > 0 && !damaged)
    })
  }

  it('a missing field is placed at the object that lacks it', () => {
    const { problems } = read(
      `${service('a')}---\nkind: Service\napiVersion: v1\nmetadata:\n  namespace: x\n`,
    )
    assert.deepEqual(problems, ['f:10:3 metadata.name: Service: is missing: the object is ignored'])
  })

  it('objects know where they begin', () => {
    assert.deepEqual(read(`${service('a')}---\n\n${service('b')}`).lines, ['1:1', '8:1'])
    assert.deepEqual(read(list(item('a'), item('b'))).lines, ['3:3', '10:3'])
  })

  it('a key twice is said, the last one counts, and the file is not damaged', () => {
    const { keys, problems, damaged } = read(service('a', 'kind: Service\n'))
    assert.deepEqual([keys, damaged], [['a'], false])
    assert.match(problems.join(), /^f:6:1 : duplicated mapping key$/)
  })

  it('unknown kinds are noted once a kind', () => {
    const pod = '---\nkind: Pod\napiVersion: v1\n'
    const { unknown, problems, damaged } = read(
      `${pod}${pod}---\nkind: Service\napiVersion: serving.knative.dev/v1\n`,
    )
    assert.deepEqual([unknown, problems, damaged], [['f:2:1 Pod 2', 'f:8:1 Service 1'], [], false])
  })

  const damage: [string, string, string[], RegExp][] = [
    [
      'a broken document beside a good one',
      `${service('a')}---\na: b: c\n`,
      ['a'],
      /^f:7:5 : bad indentation of a mapping entry$/,
    ],
    [
      'a broken item beside good ones',
      list(item('a'), '- a: "\n', item('b')),
      ['a', 'b'],
      /^f:11:1 : deficient indentation$/,
    ],
    [
      'a List that ends early',
      list(item('a'), item('b')).split('kind: List')[0] ?? '',
      ['a', 'b'],
      /^f:1:1 : a list without kind: half-written\?$/,
    ],
    [
      'JSON that ends early',
      '{"kind": "List",\n "items": [',
      [],
      /^f:2:12 : unexpected end of the stream within a flow collection$/,
    ],
    ['broken JSON', '{"kind": "List",\n "items": "a" "b"}', [], /^f:2:15 : /],
    ['no Kubernetes object', 'a: 1\n', [], /^f:1:1 kind: object: is missing: this is no Kubernetes object$/],
    ['a lone word', 'hello\n', [], /^f:1:1 : object: is not an object, but "hello": ignored$/],
    [
      'aliases without end',
      `a: &a x\nb: [${Array(101).fill('*a').join(', ')}]\n`,
      [],
      /^f:2:406 : aliases exceeded maxAliases \(100\)$/,
    ],
    ['a tag that nobody knows', service('a', '  x: !x y\n'), [], /^f:6:6 : unknown scalar tag !<!x>$/],
    ['a control character', service('a', '  x: \u0007\n'), [], /^f:6:6 : the stream contains non-printable/],
  ]
  for (const [title, text, keys, message] of damage) {
    it(`is damaged by ${title}; what can be read is there`, () => {
      const result = read(text)
      assert.deepEqual([result.keys, result.damaged], [keys, true])
      assert.match(result.problems[0] ?? '', message)
    })
  }

  it('an object that is none, beside good ones, is left out and no damage', () => {
    const { keys, damaged } = read(`${service('a')}---\na: 1\n---\n${service('b')}`)
    assert.deepEqual([keys, damaged], [['a', 'b'], false])
  })

  it('a file of nothing but an object without name is damaged: it may be half-written', () => {
    assert.equal(read(service('x').split('metadata')[0] ?? '').damaged, true)
  })

  it('a list that holds itself is no endless work', () => {
    const text = `kind: List\nitems: &a [${Array(50).fill('{kind: List, items: *a}').join(', ')}]\n`
    assert.deepEqual(read(text).unknown, ['f:1:1 List 2500'])
  })

  it('absurd nesting is damage, not a crash', () => {
    assert.equal(read(`a: ${'['.repeat(100_000)}`).damaged, true)
  })

  it('a real dump with any damage never throws, and what is wrong has a place', () => {
    const text = readFileSync(DUMP, 'utf8')
      .split(/(?<=\n)/)
      .slice(0, 300)
      .join('')
    const edit = fc.record({
      at: fc.nat(text.length),
      remove: fc.oneof(fc.nat(5), fc.nat(3000)),
      insert: fc.string({ unit: fc.constantFrom(...'a1 \n:-#\'"|>[]{},&*!?\t%'), maxLength: 4 }),
    })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), edits => {
        let damaged = text
        for (const { at, remove, insert } of edits)
          damaged = damaged.slice(0, at) + insert + damaged.slice(at + remove)
        for (const { where } of readManifest(damaged, 'f').problems) assert.match(where, /^f:\d+:\d+$/)
      }),
      { numRuns: 30 },
    )
  })

  it('problems are bounded', () => {
    const { problems } = read(
      Array.from({ length: 150 }, (_, i) => service(`s${i}`).replace('10.96.0.1', 'x')).join('---\n'),
    )
    assert.equal(problems.length, 101)
    assert.equal(problems[100], 'f : and 50 more problems in this file')
  })
})

describe('a List, taken apart at its items', () => {
  const item = fc.constantFrom(
    ...['a', 'a: b', 'a: b\n  c:\n  - d', '# x', 'a: |\n    x\n\n   # y', 'a: >+\n    x\n', '- a\n  - b'],
    ...['"x\n  - y"', '[d,\n  e]', '&x 1', '*x', '', '\n  a: b', '? a\n  : b', 'a: 1\n  a: 2', "'x: ''"],
  )
  const edit = fc.record({
    at: fc.nat(80),
    remove: fc.nat(3),
    insert: fc.constantFrom(
      '',
      '\n',
      ' ',
      '\n- ',
      '\t',
      '"',
      '# ',
      '\nb: c\n',
      '- ',
      '|',
      '\n\n',
      '[',
      'items:\n',
    ),
  })
  const text = fc
    .record({
      items: fc.array(item, { minLength: 1, maxLength: 5 }),
      indent: fc.constantFrom('', '  '),
      end: fc.constantFrom('', '# x\n', 'metadata:\n  a: b\n', '  b: c\n', '- x\n'),
      edits: fc.array(edit, { maxLength: 2 }),
    })
    .map(({ items, indent, end, edits }) => {
      const lines = items.map(it => `- ${it}\n`.replace(/^/gm, indent))
      let whole = `kind: List\nitems:\n${lines.join('')}${end}`
      for (const { at, remove, insert } of edits)
        whole = whole.slice(0, at) + insert + whole.slice(at + remove)
      return whole
    })

  it('means what it means as a whole, and is damaged at least where that is', () => {
    let good = 0
    const property = fc.property(text, it => {
      const { value, error } = parseYaml(it, { start: 0, end: it.length })
      if (isRecord(value) && value.kind !== 'List') return
      const entries: unknown[] = []
      let damaged = false
      parseText(it, {
        entry: entry => entries.push(entry.value),
        error: found => {
          damaged ||= found.fatal
        },
        isKnown: () => false,
      })
      // js-yaml takes some wrong texts as a whole that it refuses item by item: refusing is right.
      if (error?.fatal) assert.ok(damaged, JSON.stringify(it))
      if (damaged) return
      const list = isRecord(value) ? (value.items ?? []) : undefined
      const items = Array.isArray(list) ? list : [value]
      assert.deepEqual(
        entries,
        items.filter(item => item !== null),
      )
      if (items.length > 1) good++
    })
    fc.assert(property, { numRuns: 2000 })
    assert.ok(good > 150, `${good} of 2000 were good lists`)
  })
})
