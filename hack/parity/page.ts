/** docs/parity.md, out of the rules, the deviations and the names of the tests. */
import type { Deviation, Parity, Rule } from './rules.ts'

/** Paths of the test files that name a rule, by its id, sorted. */
export type TestsByRule = ReadonlyMap<string, readonly string[]>

const INTRODUCTION = `# Parity with kube-proxy

<!-- Made by hack/parity out of docs/parity/*.yaml and the names of the tests: edit those. -->

kpng aims at the behaviour of kube-proxy 1.36, in nftables mode where its modes differ. This page lists every deviation we know of, and why; then every rule, as we number them, with the tests that prove it. What is not listed is meant to be the same; if it is not, that is a defect.
`

export function parityPage(parity: Parity, tests: TestsByRule): string {
  const parts = [
    INTRODUCTION,
    '## Not there yet\n',
    'What this version translates is sockets: a process on the node that connects or sends to a Service. Traffic that only passes the node as packets is not touched. Until the packet path exists ([roadmap](roadmap.md)):\n',
    table(
      ['kube-proxy', 'kpng now', 'rules'],
      parity.notYet.map(it => [it.kubeProxy, it.kpng, it.rules.join(' ')]),
    ),
    '## Different on purpose\n',
    table(
      ['subject', 'kube-proxy', 'kpng', 'why', 'rules'],
      parity.onPurpose.map(it => [it.subject, it.kubeProxy, it.kpng, it.why, it.rules.join(' ')]),
    ),
    '## The same, and easily got wrong\n',
    `${parity.same.map(line => `- ${line}`).join('\n')}\n`,
    '## The rules\n',
    'A test that proves a rule names it: `[KP-3.2]` at the beginning of its name. *must* and *should* say how much a cluster depends on it; *mode* is a rule of the iptables or nftables it is made with. "Not at the socket" is what concerns only packets on their way through the node.\n',
    '`test/rules` says the rules of selection once more, in the plainest way and apart from the code that it checks, and compares for random clusters; `hack/rules-oracle` compares it with what the nftables rules of kube-proxy itself do.\n',
    counts(parity, tests),
    ...parity.sections.flatMap(({ section, title, rules }) => [
      `### ${section} ${title}\n`,
      table(
        ['rule', '', 'what kube-proxy does', 'proved by'],
        rules.map(rule => [rule.id, rule.level, rule.text, proof(rule, parity, tests)]),
      ),
    ]),
  ]
  return `${parts.join('\n').trimEnd()}\n`
}

/** What is wrong with the list of rules without a test, a line each. */
export function admissions(parity: Parity, tests: TestsByRule): string[] {
  const open = uncovered(parity, tests)
  const { noTestYet } = parity
  return [
    ...open.filter(id => !noTestYet.includes(id)).map(id => `${id} has neither a test nor a reason`),
    ...noTestYet.filter(id => !open.includes(id)).map(id => `${id} is covered: take it out of no-test-yet`),
  ]
}

/** Rules that are a must and have neither a test nor a reason why not. */
export const uncovered = (parity: Parity, tests: TestsByRule): string[] =>
  rulesOf(parity)
    .filter(rule => rule.level === 'must' && !isCovered(rule, parity, tests))
    .map(rule => rule.id)

const rulesOf = (parity: Parity): Rule[] => parity.sections.flatMap(section => [...section.rules])

function isCovered(rule: Rule, parity: Parity, tests: TestsByRule): boolean {
  if (tests.has(rule.id) || rule.packets !== undefined || reasonsFor(rule.id, parity).length > 0) return true
  const { see } = rule
  return see.length > 0 && rulesOf(parity).every(it => !see.includes(it.id) || isCovered(it, parity, tests))
}

function proof(rule: Rule, parity: Parity, tests: TestsByRule): string {
  const parts = [
    (tests.get(rule.id) ?? []).map(path => `\`${path}\``).join(' '),
    rule.see.length > 0 ? `see ${rule.see.join(', ')}` : '',
    rule.packets === undefined ? '' : `not at the socket: ${rule.packets}`,
    ...reasonsFor(rule.id, parity),
  ].filter(part => part !== '')
  if (parts.length > 0) return parts.join('; ')
  return rule.level === 'must' ? '**no test yet**' : 'no test'
}

function reasonsFor(id: string, parity: Parity): string[] {
  const about = (it: { readonly rules: readonly string[] }) => it.rules.includes(id)
  const named = (it: Deviation, kind: string) => (it.subject === '' ? kind : `${kind}: ${it.subject}`)
  return [
    ...parity.notYet.filter(about).map(it => named(it, 'not there yet')),
    ...parity.onPurpose.filter(about).map(it => named(it, 'different on purpose')),
    ...parity.notApplicable.filter(about).map(it => `not applicable: ${it.why}`),
  ]
}

function counts(parity: Parity, tests: TestsByRule): string {
  const musts = rulesOf(parity).filter(rule => rule.level === 'must')
  const named = musts.filter(rule => tests.has(rule.id)).length
  const open = uncovered(parity, tests).length
  return `Of ${musts.length} rules that are a *must*, tests name ${named}; ${open} have neither a test nor a reason why not.\n`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}
