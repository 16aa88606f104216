/** docs/parity/rules.yaml and deviations.yaml, read and checked. */
import { parse } from 'yaml'

const LEVELS = ['must', 'should', 'mode'] as const
export type Level = (typeof LEVELS)[number]

export interface Rule {
  /** `KP-<section>.<number>` */
  readonly id: string
  readonly level: Level
  readonly text: string
  /** What of it concerns packets on their way through the node; a rule that has it needs no test. */
  readonly packets?: string
  /** Rules that this one sums up: their tests are its tests. */
  readonly see: readonly string[]
}

export interface Section {
  readonly section: string
  readonly title: string
  readonly rules: readonly Rule[]
}

export interface Deviation {
  readonly rules: readonly string[]
  /** '' for what is not there yet. */
  readonly subject: string
  readonly kubeProxy: string
  readonly kpng: string
  readonly why: string
}

export interface Parity {
  readonly sections: readonly Section[]
  readonly notYet: readonly Deviation[]
  readonly onPurpose: readonly Deviation[]
  readonly same: readonly string[]
  readonly notApplicable: readonly { readonly rules: readonly string[]; readonly why: string }[]
  readonly noTestYet: readonly string[]
}

type Row = Readonly<Record<string, unknown>>

/** Throws an Error that names the place: these files are our own. */
export function readParity(rulesYaml: string, deviationsYaml: string): Parity {
  const sections = list(parse(rulesYaml), 'rules.yaml').map(readSection)
  const known = new Set(sections.flatMap(section => section.rules.map(rule => rule.id)))
  const deviations = row(parse(deviationsYaml), 'deviations.yaml')
  only(deviations, ['not-yet', 'on-purpose', 'same', 'not-applicable', 'no-test-yet'], 'deviations.yaml')

  const ids = (value: unknown, where: string): string[] => {
    const found = texts(value, where)
    const unknown = found.filter(id => !known.has(id))
    if (unknown.length > 0) throw new Error(`${where}: no such rule: ${unknown.join(', ')}`)
    return found
  }
  const deviation = (value: unknown, where: string): Deviation => {
    const it = row(value, where)
    only(it, ['subject', 'rules', 'kube-proxy', 'kpng', 'why'], where)
    return {
      rules: ids(it.rules ?? [], `${where}.rules`),
      subject: text(it.subject ?? '', where),
      kubeProxy: text(it['kube-proxy'] ?? '', where),
      kpng: text(it.kpng, where),
      why: text(it.why ?? '', where),
    }
  }
  for (const rule of sections.flatMap(section => section.rules)) ids(rule.see, rule.id)
  return {
    sections,
    notYet: list(deviations['not-yet'], 'not-yet').map((it, i) => deviation(it, `not-yet[${i}]`)),
    onPurpose: list(deviations['on-purpose'], 'on-purpose').map((it, i) => deviation(it, `on-purpose[${i}]`)),
    same: texts(deviations.same, 'same'),
    notApplicable: list(deviations['not-applicable'], 'not-applicable').map((value, i) => {
      const it = row(value, `not-applicable[${i}]`)
      only(it, ['rules', 'why'], `not-applicable[${i}]`)
      return { rules: ids(it.rules, `not-applicable[${i}]`), why: text(it.why, `not-applicable[${i}].why`) }
    }),
    noTestYet: ids(deviations['no-test-yet'], 'no-test-yet'),
  }
}

function readSection(value: unknown): Section {
  const it = row(value, 'section')
  const section = text(it.section, 'section')
  const rules = Object.entries(row(it.rules, `section ${section}`)).map(([id, rule]) => readRule(id, rule))
  const own = new RegExp(`^KP-${section.replaceAll('.', '\\.')}\\.\\d+(\\.\\d+)?$`)
  for (const { id } of rules) if (!own.test(id)) throw new Error(`${id} is not of section ${section}`)
  return { section, title: text(it.title, `section ${section}`), rules }
}

function readRule(id: string, value: unknown): Rule {
  const it = row(value, id)
  only(it, [...LEVELS, 'packets', 'see'], id)
  const levels = LEVELS.filter(level => level in it)
  const [level] = levels
  if (level === undefined || levels.length > 1) throw new Error(`${id}: one of ${LEVELS.join(', ')}`)
  return {
    id,
    level,
    text: text(it[level], id),
    ...(it.packets !== undefined && { packets: text(it.packets, `${id}.packets`) }),
    see: texts(it.see ?? [], `${id}.see`),
  }
}

function row(value: unknown, where: string): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where}: no mapping`)
  return value as Row
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${where}: no list`)
  return value
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new Error(`${where}: no text`)
  return value
}

const texts = (value: unknown, where: string): string[] => list(value, where).map(it => text(it, where))

function only(it: Row, keys: readonly string[], where: string): void {
  const others = Object.keys(it).filter(key => !keys.includes(key))
  if (others.length > 0) throw new Error(`${where}: ${others.join(', ')} means nothing here`)
}
