/**
 * Keeps docs/conformance.md: how upstream's end-to-end specs go with kpng, beside kube-proxy.
 *
 *   conformance add CLUSTER COLUMN RESULTS.tsv   takes a run into docs/conformance/CLUSTER.tsv
 *   conformance                                  writes the page
 *   conformance --check                          exits with 1 where the page is not current, or a failure has no cause
 *
 * COLUMN is kube-proxy, kpng or beside; RESULTS.tsv has the columns state, seconds, spec and message.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { complaints, readCauses } from './causes.ts'
import { type Cluster, conformancePage } from './page.ts'
import { addRun, type Column, columns, printResults, readResults } from './results.ts'

const docs = resolve(import.meta.dirname, '../../docs')
const path = (name: string): string => resolve(docs, 'conformance', name)
const read = (file: string): string => readFileSync(file, 'utf8')
const page = resolve(docs, 'conformance.md')

const titles: Readonly<Record<string, string>> = {
  'ipv4-3': 'three workers, IPv4',
  'ipv4-6': 'six workers in three zones, IPv4',
  'dual-3': 'three workers, dual stack',
}

function add(cluster: string, column: string, results: string): void {
  if (titles[cluster] === undefined) throw new Error(`no such cluster: ${cluster} (${Object.keys(titles)})`)
  const known = columns.find(name => name === column)
  if (known === undefined) throw new Error(`no such column: ${column} (${columns})`)
  const file = path(`${cluster}.tsv`)
  const former = existsSync(file) ? readResults(read(file)) : []
  writeFileSync(file, printResults(addRun(former, known satisfies Column, read(results))))
}

function clusters(): Cluster[] {
  return Object.entries(titles)
    .filter(([name]) => existsSync(path(`${name}.tsv`)))
    .map(([name, title]) => ({ title, results: readResults(read(path(`${name}.tsv`))) }))
}

function main([command, ...rest]: readonly string[]): number {
  if (command === 'add') {
    const [cluster = '', column = '', results = ''] = rest
    add(cluster, column, results)
    return 0
  }
  const found = clusters()
  const causes = readCauses(read(path('causes.yaml')))
  const text = conformancePage(read(path('introduction.md')), found, causes)
  const wrong = complaints(
    found.map(({ results }) => results),
    causes,
  )
  if (command !== '--check') writeFileSync(page, text)
  else if (read(page) !== text) wrong.push('docs/conformance.md is not current: run hack/conformance/main.ts')
  process.stderr.write(wrong.map(line => `conformance: ${line}\n`).join(''))
  return wrong.length > 0 ? 1 : 0
}

process.exitCode = main(process.argv.slice(2))
