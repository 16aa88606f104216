import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { namedRules } from './named-rules.ts'
import { admissions, parityPage, uncovered } from './page.ts'
import { readParity } from './rules.ts'

const RULES = `
- section: '3'
  title: Which
  rules:
    KP-3.1: { must: "one" }
    KP-3.1.1: { must: "one of one" }
    KP-3.2: { should: "two | three" }
    KP-3.3: { must: "sums up", see: [KP-3.1, KP-3.1.1] }
    KP-3.4: { must: "wire", packets: "no wire here" }
    KP-3.5: { must: "five" }
    KP-3.6: { must: "six" }
`
const DEVIATIONS = `
not-yet: [{ rules: [KP-3.5], kube-proxy: does, kpng: does not }]
on-purpose: [{ subject: colour, rules: [KP-3.6], kube-proxy: red, kpng: green, why: calmer }]
same: [no difference]
not-applicable: []
no-test-yet: []
`

describe('the rules that tests name', () => {
  it('are those in brackets at the beginning of a name, in any quotes', () => {
    const source = [
      "test('[KP-3.2] a name', () => {})",
      'it(`[KP-1.1 KP-14.10] another`, () => {})',
      '  { name: "[KP-4.1.3] in a table" },',
      '# [KP-7.2] a scenario',
      "test('[KP-7.3 KPNG-D10 DP-9.10] a rule and two defects')",
      "test('[KPNG-D11] a defect')",
      "it('KP-9.1 without brackets')",
      "it('later [KP-9.2]')",
      '// [KP-9.3]',
    ].join('\n')
    assert.deepEqual(
      [...namedRules(source)],
      ['KP-3.2', 'KP-1.1', 'KP-14.10', 'KP-4.1.3', 'KP-7.2', 'KP-7.3'],
    )
  })
})

describe('coverage', () => {
  const parity = readParity(RULES, DEVIATIONS)
  const tests = (...ids: string[]) => new Map(ids.map(id => [id, ['a.test.ts']]))

  it('asks a test or a reason of every must, and of a sum what it asks of its parts', () => {
    assert.deepEqual(uncovered(parity, tests()), ['KP-3.1', 'KP-3.1.1', 'KP-3.3'])
    assert.deepEqual(uncovered(parity, tests('KP-3.1')), ['KP-3.1.1', 'KP-3.3'])
    assert.deepEqual(uncovered(parity, tests('KP-3.1', 'KP-3.1.1')), [])
    assert.deepEqual(uncovered(parity, tests('KP-3.3')), ['KP-3.1', 'KP-3.1.1'])
  })

  it('is complained of unless it is admitted, and so is what is admitted without need', () => {
    const admitting = readParity(RULES, DEVIATIONS.replace('yet: []', 'yet: [KP-3.1, KP-3.5]'))
    assert.deepEqual(admissions(admitting, tests('KP-3.3')), [
      'KP-3.1.1 has neither a test nor a reason',
      'KP-3.5 is covered: take it out of no-test-yet',
    ])
  })

  it('shows each rule with its tests and reasons', () => {
    const page = parityPage(parity, tests('KP-3.1'))
    for (const line of [
      '| KP-3.1 | must | one | `a.test.ts` |',
      '| KP-3.1.1 | must | one of one | **no test yet** |',
      '| KP-3.2 | should | two \\| three | no test |',
      '| KP-3.3 | must | sums up | see KP-3.1, KP-3.1.1 |',
      '| KP-3.4 | must | wire | not at the socket: no wire here |',
      '| KP-3.5 | must | five | not there yet |',
      '| KP-3.6 | must | six | different on purpose: colour |',
      '| colour | red | green | calmer | KP-3.6 |',
      '| does | does not | KP-3.5 |',
      '- no difference',
    ]) {
      assert.ok(page.split('\n').includes(line), line)
    }
  })
})

describe('the lists', () => {
  it('are refused when an entry is about a rule that does not exist, or says what means nothing', () => {
    const bad = (rules: string, deviations: string) => () => readParity(rules, deviations)
    assert.throws(bad(RULES, DEVIATIONS.replace('KP-3.5', 'KP-3.9')), /no such rule: KP-3.9/)
    assert.throws(bad(RULES, DEVIATIONS.replace('why', 'because')), /because/)
    assert.throws(bad(RULES.replace('KP-3.6', 'KP-4.6'), DEVIATIONS), /KP-4.6 is not of section 3/)
    assert.throws(bad(RULES.replace('{ must: "six" }', '{ must: "six", should: "7" }'), DEVIATIONS), /KP-3.6/)
  })
})
