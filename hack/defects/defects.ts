/** docs/defects.md, out of the list of defects and the names of the tests. */
import { parse } from 'yaml'

export interface Defect {
  readonly id: string
  readonly what: string
  /** Why there is no test. */
  readonly not?: string
}

export interface DefectSection {
  readonly title: string
  readonly defects: readonly Defect[]
}

/** Paths of the test files that name a defect, by its id, sorted. */
type TestsByDefect = ReadonlyMap<string, readonly string[]>

const ID = /^(?:KPNG-[CD]\d+|DP-9\.\d+)$/

/** The list in YAML. Throws where it is none. */
export function readDefects(yaml: string): DefectSection[] {
  const sections: unknown = parse(yaml)
  if (!Array.isArray(sections)) throw new Error('defects.yaml: no list')
  const seen = new Set<string>()
  return sections.map(section => {
    const { title, defects } = section as { title: unknown; defects: Record<string, unknown> }
    if (typeof title !== 'string') throw new Error('defects.yaml: a section without title')
    return {
      title,
      defects: Object.entries(defects).map(([id, value]) => {
        const { what, not, ...others } = value as Record<string, unknown>
        if (!ID.test(id) || seen.has(id)) throw new Error(`${id}: no id, or one that is taken`)
        seen.add(id)
        if (typeof what !== 'string' || (not !== undefined && typeof not !== 'string'))
          throw new Error(`${id}: no text`)
        if (Object.keys(others).length > 0)
          throw new Error(`${id}: ${Object.keys(others)} means nothing here`)
        return { id, what, ...(not === undefined ? {} : { not }) }
      }),
    }
  })
}

/** What is wrong with the list and the names, a line each. */
export function complaints(defects: readonly Defect[], tests: TestsByDefect): string[] {
  const known = new Set(defects.map(({ id }) => id))
  return [
    ...[...tests]
      .filter(([id]) => !known.has(id))
      .map(([id, paths]) => `${paths.join(', ')} names a defect that does not exist: ${id}`),
    ...defects
      .filter(({ id, not }) => !tests.has(id) && not === undefined)
      .map(({ id }) => `${id} has neither a test nor a reason why not`),
    ...defects
      .filter(({ id, not }) => tests.has(id) && not !== undefined)
      .map(({ id }) => `${id} has a test: take out the reason why not`),
  ]
}

const INTRODUCTION = `# What went wrong elsewhere

<!-- Made by hack/defects out of docs/defects/defects.yaml and the names of the tests: edit those. -->

kpng is not the first proxy at the socket. This page lists what is known to have gone wrong in its predecessor, the eBPF backend of KPNG, and in others, as far as it concerns sockets, and the tests that show that it does not happen here. Such a test names the defect: \`[KPNG-D1]\` at the beginning of its name.
`

export function defectsPage(sections: readonly DefectSection[], tests: TestsByDefect): string {
  const row = (...cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const proof = ({ id, not }: Defect): string =>
    (tests.get(id) ?? []).map(path => `\`${path}\``).join(' ') || not || '**no test yet**'
  const parts = sections.map(({ title, defects }) =>
    [
      `## ${title}\n`,
      row('', 'what goes wrong', 'does not here, as shown by'),
      row('---', '---', '---'),
      ...defects.map(defect => row(defect.id, defect.what, proof(defect))),
    ].join('\n'),
  )
  return `${[INTRODUCTION, parts.join('\n\n')].join('\n')}\n`
}
