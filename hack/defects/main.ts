/**
 * Writes docs/defects.md: what went wrong in others, and which tests show that it does not here.
 *
 *   defects            writes the page
 *   defects --check    writes nothing
 *
 * Exits with 1 when the page differs (--check), a test names a defect that does not exist, or a defect has neither a
 * test nor a reason why not.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { namedIds } from '../parity/named-rules.ts'
import { testFiles } from '../test-files.ts'
import { complaints, defectsPage, readDefects } from './defects.ts'

const root = resolve(import.meta.dirname, '../..')
const page = resolve(root, 'docs/defects.md')
const read = (path: string): string => readFileSync(resolve(root, path), 'utf8')

/** Test files by the defects that they name. */
function findTests(): Map<string, string[]> {
  const tests = new Map<string, string[]>()
  for (const path of testFiles(root))
    for (const id of namedIds(read(path)))
      if (!id.startsWith('KP-')) tests.set(id, [...(tests.get(id) ?? []), path])
  return tests
}

function main(check: boolean): number {
  const sections = readDefects(read('docs/defects/defects.yaml'))
  const tests = findTests()
  const text = defectsPage(sections, tests)
  const found = complaints(
    sections.flatMap(({ defects }) => [...defects]),
    tests,
  )
  if (!check) writeFileSync(page, text)
  else if (readFileSync(page, 'utf8') !== text) found.push('docs/defects.md is not current: run hack/defects')
  process.stderr.write(found.map(line => `defects: ${line}\n`).join(''))
  return found.length > 0 ? 1 : 0
}

process.exitCode = main(process.argv.includes('--check'))
