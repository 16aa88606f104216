import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { u64 } from './codec.ts'
import { waitForPrograms } from './grace-period.ts'
import { memoryMap } from './memory-map.ts'
import { loadObject } from './object.ts'
import { testObject } from './testdata/build.ts'
import { failOnLeakedFds, interceptSyscalls } from './testing.ts'
import { VerifierError } from './verifier-error.ts'

failOnLeakedFds()

const BEGUN = 0
const ENDED = 1

/** Loads the slow program; skips the test where bpf_loop (5.17) is missing. */
const loadSlow = (t: { skip(reason: string): void }, rounds: number) => {
  try {
    return loadObject(testObject('slow'), { constants: { rounds } })
  } catch (error) {
    if (error instanceof VerifierError && /unknown func/.test(error.log)) t.skip('no bpf_loop in this kernel')
    else throw error
    return undefined
  }
}

test('a program that runs is waited for, and the event loop goes on', async t => {
  // About 100 ms.
  using object = loadSlow(t, 1 << 22)
  if (object === undefined) return
  const progress = memoryMap(object.map('progress'), u64)
  const runner = new Worker(new URL('./testdata/run-slow.ts', import.meta.url), {
    workerData: { program: object.program('slow').id },
  })
  const exited = new Promise(resolve => runner.once('exit', resolve))
  while (progress.load64(BEGUN) === 0n) await new Promise(resolve => setImmediate(resolve))

  let turns = 0
  const ticker = setInterval(() => turns++, 1)
  assert.equal(progress.load64(ENDED), 0n, 'the program was to be still running')
  await waitForPrograms()
  const ended = progress.load64(ENDED)
  clearInterval(ticker)
  await exited
  assert.equal(ended, 1n)
  assert.ok(turns > 5, `${turns} turns of the event loop`)
})

test('many who wait share few grace periods', async () => {
  let updates = 0
  using _ = interceptSyscalls((name, [command]) => {
    if (name === 'bpf' && command === 2) updates++
    return undefined
  })
  await Promise.all(Array.from({ length: 20 }, () => waitForPrograms()))
  assert.equal(updates, 2)
})

test('a wait that the kernel refuses is an error with its reason, and the next one works', async () => {
  {
    using _ = interceptSyscalls((name, [command]) => (name === 'bpf' && command === 2 ? -1 : undefined))
    await assert.rejects(waitForPrograms(), {
      code: 'PERMISSION',
      message: /waiting for running programs: EPERM/,
    })
  }
  await waitForPrograms()
})
