import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isAlive } from './process-identity.ts'

/** Its first thread ends; the other one waits for the end of standard input. */
const program = `
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("up", flush=True)
ctypes.CDLL(None).pthread_exit(None)`

test('a process lives while one of its threads does: it holds sockets and files', async () => {
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  try {
    await once(child.stdout, 'data')
    const identity = identify(child.pid ?? 0)
    assert.ok(identity !== undefined)
    await sleep(100)
    assert.equal(isAlive(identity), true)
    child.stdin.end()
    await ended
    assert.equal(isAlive(identity), false)
  } finally {
    child.kill('SIGKILL')
  }
})
