/**
 * Writes docs/parity.md: which rule of kube-proxy is proved by which test, and what deviates.
 *
 *   parity            writes the page, lists the rules that have neither a test nor a reason
 *   parity --check    writes nothing
 *
 * Exits with 1 when the page differs (--check), a test names a rule that does not exist, or a must has neither a test
 * nor a reason and is not admitted to (no-test-yet).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { testFiles } from '../test-files.ts'
import { namedRules } from './named-rules.ts'
import { admissions, parityPage } from './page.ts'
import { type Parity, readParity } from './rules.ts'

const root = resolve(import.meta.dirname, '../..')
const page = resolve(root, 'docs/parity.md')
const read = (path: string): string => readFileSync(resolve(root, path), 'utf8')

/** Files by the rules they name, and complaints about names that are no rule. */
function findTests(parity: Parity): { tests: Map<string, string[]>; complaints: string[] } {
  const known = new Set(parity.sections.flatMap(section => section.rules.map(rule => rule.id)))
  const tests = new Map<string, string[]>()
  const complaints: string[] = []
  for (const path of testFiles(root)) {
    for (const id of namedRules(read(path))) {
      if (!known.has(id)) complaints.push(`${path} names a rule that does not exist: ${id}`)
      else tests.set(id, [...(tests.get(id) ?? []), path])
    }
  }
  return { tests, complaints }
}

function main(check: boolean): number {
  const parity = readParity(read('docs/parity/rules.yaml'), read('docs/parity/deviations.yaml'))
  const { tests, complaints } = findTests(parity)
  const text = parityPage(parity, tests)
  if (!check) writeFileSync(page, text)
  else if (readFileSync(page, 'utf8') !== text)
    complaints.push('docs/parity.md is not current: run hack/parity')
  complaints.push(...admissions(parity, tests))
  process.stderr.write(complaints.map(line => `parity: ${line}\n`).join(''))
  return complaints.length > 0 ? 1 : 0
}

process.exitCode = main(process.argv.includes('--check'))
