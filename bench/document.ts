import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectTables } from './tables/connect.ts'
import { datagramTables } from './tables/datagram.ts'
import { memoryTables } from './tables/memory.ts'
import { scaleTables } from './tables/scale.ts'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/benchmarks.md')

/** Name of a report -> its tables by name: what the page has between `<!-- bench NAME -->` and `<!-- /bench -->`. */
const documented: Readonly<Record<string, (report: never) => Readonly<Record<string, string>>>> = {
  connect: connectTables,
  datagram: datagramTables,
  scale: scaleTables,
  'socket-memory': memoryTables,
}

/** The page with the tables of these results; what was not measured stays as it is. Throws if a place is missing. */
export function documentedPage(text: string, results: string): string {
  let filled = text
  for (const [name, tablesOf] of Object.entries(documented)) {
    const path = join(results, `${name}.json`)
    if (!existsSync(path)) continue
    const report = JSON.parse(readFileSync(path, 'utf8')) as never
    for (const [table, content] of Object.entries(tablesOf(report))) filled = fill(filled, table, content)
  }
  return filled
}

function fill(text: string, table: string, content: string): string {
  const place = new RegExp(`(<!-- bench ${table} -->\\n)[^]*?(<!-- /bench -->)`)
  if (!place.test(text)) throw new Error(`docs/benchmarks.md has no place for the table ${table}`)
  return text.replace(place, (_, start: string, end: string) => `${start}${content}\n${end}`)
}

/** Puts the tables of these results into docs/benchmarks.md. */
export function document(results = join(import.meta.dirname, 'results')): void {
  writeFileSync(page, documentedPage(readFileSync(page, 'utf8'), results))
}
