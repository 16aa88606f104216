import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kpngPath, TestLab } from './lab.ts'
import { node } from './manifests.ts'

/** Says which standard streams do not block, reads a line, writes more than a pipe holds. */
const program = `
import fcntl, os, sys
nonblocking = [fd for fd in range(3) if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK]
print(nonblocking, sys.stdin.readline().strip(), flush=True)
os.write(2, b"e" * 300000)
os.write(1, b"o" * 300000)
`

test('a command in lab exec has standard streams that block: it waits for input and for a slow reader', async () => {
  await using lab = await TestLab.up([node('node-a', ['192.168.74.1'])])
  const command = ['lab', 'exec', '--name', lab.name, 'node/node-a', '--', 'python3', '-c', program]
  const child = spawn(kpngPath, command, { stdio: 'pipe' })
  const exit = once(child, 'exit')
  await sleep(1000)
  child.stdin.end('input\n')
  await sleep(500)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  assert.equal(stdout.split('\n')[0], '[] input')
  assert.deepEqual(await exit, [0, null], stderr.slice(0, 1000))
  assert.deepEqual([stdout.length, stderr.length], ['[] input\n'.length + 300_000, 300_000])
})
