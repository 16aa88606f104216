import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaints, defectsPage, readDefects } from './defects.ts'

const YAML = `
- title: Old
  defects:
    KPNG-D1: { what: "one | two" }
    KPNG-C2: { what: three, not: "nobody can" }
- title: New
  defects:
    DP-9.13: { what: four }
`
const sections = readDefects(YAML)
const defects = sections.flatMap(section => [...section.defects])

test('each defect has a test or a reason, not both, and tests name none that does not exist', () => {
  assert.deepEqual(complaints(defects, new Map([['KPNG-D1', ['a.test.ts']]])), [
    'DP-9.13 has neither a test nor a reason why not',
  ])
  const tests = new Map([
    ['KPNG-D1', ['a.test.ts']],
    ['KPNG-C2', ['a.test.ts']],
    ['DP-9.13', ['b.test.ts']],
    ['DP-9.99', ['b.test.ts', 'c.test.ts']],
  ])
  assert.deepEqual(complaints(defects, tests), [
    'b.test.ts, c.test.ts names a defect that does not exist: DP-9.99',
    'KPNG-C2 has a test: take out the reason why not',
  ])
})

test('the page tells of each defect the tests, the reason, or that there is none', () => {
  const lines = defectsPage(sections, new Map([['KPNG-D1', ['a.test.ts', 'b.test.ts']]])).split('\n')
  assert.deepEqual(
    lines.filter(line => /^\| [A-Z]/.test(line)),
    [
      '| KPNG-D1 | one \\| two | `a.test.ts` `b.test.ts` |',
      '| KPNG-C2 | three | nobody can |',
      '| DP-9.13 | four | **no test yet** |',
    ],
  )
})

for (const [what, yaml] of [
  ['an id that is none', '- { title: x, defects: { KP-1: { what: a } } }'],
  [
    'an id twice',
    '- { title: x, defects: { DP-9.1: { what: a } } }\n- { title: y, defects: { DP-9.1: { what: a } } }',
  ],
  ['a key without meaning', '- { title: x, defects: { DP-9.1: { what: a, why: b } } }'],
  ['a defect without text', '- { title: x, defects: { DP-9.1: { not: a } } }'],
  ['no list', 'title: x'],
] as const)
  test(`the list is refused with ${what}`, () => {
    assert.throws(() => readDefects(yaml))
  })
