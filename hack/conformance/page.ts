import { type Cause, shortName } from './causes.ts'
import { type Column, columns, type SpecResult } from './results.ts'

export interface Cluster {
  readonly title: string
  readonly results: readonly SpecResult[]
}

/** docs/conformance.md. `introduction` ends without an empty line. */
export function conformancePage(
  introduction: string,
  clusters: readonly Cluster[],
  causes: readonly Cause[],
): string {
  return [
    introduction.trimEnd(),
    '',
    ...summary(clusters),
    '',
    '## What does not pass, and why',
    '',
    ...causes.flatMap(explained),
    ...clusters.flatMap(table),
  ].join('\n')
}

const count = (results: readonly SpecResult[], column: Column, state: string): number =>
  results.filter(({ states }) => states[column] === state).length

function summary(clusters: readonly Cluster[]): string[] {
  const tally = (results: readonly SpecResult[], column: Column): string =>
    ['passed', 'failed', 'skipped'].map(state => count(results, column, state)).join(' / ')
  return [
    '| cluster | kube-proxy: passed / failed / skipped | kpng |',
    '| --- | --- | --- |',
    ...clusters.map(
      ({ title, results }) => `| ${title} | ${tally(results, 'kube-proxy')} | ${tally(results, 'kpng')} |`,
    ),
  ]
}

const explained = ({ title, why, evidence, specs }: Cause): string[] => [
  `### ${title}`,
  '',
  why,
  '',
  `Evidence: ${evidence}`,
  '',
  ...specs.map(spec => `- ${spec}`),
  '',
]

function table({ title, results }: Cluster): string[] {
  const shown = columns.filter(column => results.some(({ states }) => states[column] !== undefined))
  const heads = shown.map(column => (column === 'beside' ? 'kpng, packets by kube-proxy' : column))
  return [
    `## ${title[0]?.toUpperCase()}${title.slice(1)}`,
    '',
    `| spec | ${heads.join(' | ')} |`,
    `| --- |${' --- |'.repeat(shown.length)}`,
    ...results.map(
      ({ spec, states }) =>
        `| ${shortName(spec)} | ${shown.map(column => states[column] ?? '').join(' | ')} |`,
    ),
    '',
  ]
}
