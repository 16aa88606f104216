import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { endProcess, hasEnded, untilEnded } from './end-process.ts'

const start = (script: string): ChildProcess => spawn('sh', ['-c', script], { stdio: 'ignore' })

test('a process is ended by a signal, or says how by its exit code', async () => {
  const plain = start('exec sleep 60')
  assert.equal(hasEnded(plain), false)
  assert.equal(await endProcess(plain), null)
  assert.equal(plain.signalCode, 'SIGTERM')
  const tidy = spawn('sh', ['-c', 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'])
  await once(tidy.stdout, 'data')
  assert.equal(await endProcess(tidy), 7)
})

test('one that has ended before, in whatever way, is waited for no more', async () => {
  const exits = start('exit 3')
  const killed = start('kill -9 $$')
  await Promise.all([once(exits, 'exit'), once(killed, 'exit')])
  for (const child of [exits, killed]) assert.equal(hasEnded(child), true)
  assert.deepEqual([await endProcess(exits), await untilEnded(exits)], [3, 3])
  assert.deepEqual([await endProcess(killed), await untilEnded(killed)], [null, null])
})

test('one that there never was has ended', async () => {
  const nobody = spawn('/nonexistent/program', { stdio: 'ignore' })
  const failed = once(nobody, 'error')
  assert.equal(hasEnded(nobody), true)
  await endProcess(nobody)
  await failed
  await untilEnded(nobody)
  assert.equal(await endProcess(undefined), null)
})

test('who waits for an end that does not come is told', async () => {
  const child = start('exec sleep 60')
  try {
    await assert.rejects(untilEnded(child, 20), { name: 'AbortError' })
  } finally {
    await endProcess(child, 'SIGKILL')
  }
})
