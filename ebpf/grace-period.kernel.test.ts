import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { u64 } from './codec.ts'
import { waitForPrograms } from './grace-period.ts'
import { memoryMap } from './memory-map.ts'
import { loadObject } from './object.ts'
import { testObject } from './testdata/build.ts'
import { failOnLeakedFds, interceptSyscalls } from './testing.ts'
import { VerifierError } from './verifier-error.ts'

failOnLeakedFds()

// enum progress_index of testdata/slow.bpf.c
const BEGUN = 0
const ENDED = 1

/** Loads the slow program; skips the test where bpf_loop (5.17) is missing. */
const loadSlow = (t: { skip(reason: string): void }) => {
  try {
    return loadObject(testObject('slow'), { constants: { duration_ns: 100_000_000 } })
  } catch (error) {
    if (!(error instanceof VerifierError && /unknown func/.test(error.log))) throw error
    t.skip('no bpf_loop in this kernel')
    return undefined
  }
}

test('a program that runs is waited for while the event loop goes on', { timeout: 60_000 }, async t => {
  using object = loadSlow(t)
  if (object === undefined) return
  const progress = memoryMap(object.map('progress'), u64)
  // On a busy machine the program may have ended before we come to look at it.
  for (let attempt = 1; attempt <= 20; attempt++) {
    const runner = new Worker(new URL('./testdata/run-slow.ts', import.meta.url), {
      workerData: { program: object.program('slow').id },
    })
    const exited = new Promise(resolve => runner.once('exit', resolve))
    let turns = 0
    while (progress.load64(BEGUN) < attempt) await sleep(1)
    const ticker = setInterval(() => turns++, 1)
    const before = progress.load64(ENDED)
    await waitForPrograms()
    const after = progress.load64(ENDED)
    clearInterval(ticker)
    await exited
    assert.equal(after, BigInt(attempt))
    if (before < after && turns > 0) return
  }
  assert.fail('the program was never seen running')
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
