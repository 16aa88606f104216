import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cause, complaints, readCauses } from './causes.ts'
import { conformancePage } from './page.ts'
import { addRun, printResults, readResults } from './results.ts'

const run =
  'passed\t1.5\t[sig-network] Services should a\t\nfailed\t120\t[sig-network] Services should b\ttimed out\n'
const peer = 'passed\t1\t[sig-network] Services should a\t\npassed\t2\t[sig-network] Services should b\t\n'
const results = addRun(addRun([], 'kpng', run), 'kube-proxy', peer)
const cause: Cause = { title: 'T', why: 'W', evidence: 'E', specs: ['Services should b'] }

test('a table of results is read as it was printed', () => {
  assert.deepEqual(readResults(printResults(results)), results)
  assert.throws(() => readResults('spec\tx\n'), /first line/)
  assert.throws(() => readResults(`${printResults(results)}lost\n`), /line 4/)
})

test('a later run of a spec has the last word', () => {
  const again = addRun(results, 'kpng', 'passed\t3\t[sig-network] Services should b\t\n')
  assert.equal(again[1]?.states.kpng, 'passed')
})

test('a failure needs a cause, and a cause a failure', () => {
  assert.deepEqual(complaints([results], [cause]), [])
  assert.deepEqual(complaints([results], []), ['fails without a cause: [sig-network] Services should b'])
  const idle = { ...cause, specs: [...cause.specs, 'Services should a'] }
  assert.deepEqual(complaints([results], [idle]), ['has a cause but does not fail: Services should a'])
})

test('what kube-proxy does not pass needs no cause', () => {
  const both = addRun(results, 'kube-proxy', 'failed\t2\t[sig-network] Services should b\t\n')
  assert.deepEqual(complaints([both], []), [])
})

test('a cause without evidence is refused', () => {
  assert.throws(() => readCauses('- {title: a, why: b, specs: [c]}'), /\[0\]\.evidence/)
})

test('the page counts, explains and lists', () => {
  const page = conformancePage('# Conformance\n', [{ title: 'two workers', results }], [cause])
  assert.match(page, /\| two workers \| 2 \/ 0 \/ 0 \| 1 \/ 1 \/ 0 \|/)
  assert.match(page, /### T\n\nW\n\nEvidence: E\n\n- Services should b/)
  assert.match(page, /\| Services should b \| passed \| failed \|/)
})
