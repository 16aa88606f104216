import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { testObject } from './testdata/build.ts'
import { scratchCgroup } from './testing.ts'

const folder = import.meta.dirname
const example = /```ts\n(.*?)```/s.exec(readFileSync(join(folder, 'README.md'), 'utf8'))?.[1] ?? ''

test('the example of the README counts the connections of a cgroup', { timeout: 30_000 }, async () => {
  assert.ok(example.trimEnd().split('\n').length <= 24, 'the example is to stay short')
  using cgroup = scratchCgroup()
  const file = join(folder, 'testdata', 'build', `readme-${process.pid}.ts`)
  const object = testObject('socket')
  writeFileSync(file, example)
  const child = spawn(process.execPath, [file, object, cgroup.path], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
    })
    while (!output.includes('\n')) await once(child.stdout, 'data')
    assert.match(output, /^attached: \{"kind":"cgroup",.*"attachType":10\}$/m)
    const connect = `echo $$ > ${cgroup.path}/cgroup.procs; exec 3<>/dev/udp/127.0.0.1/9; exec 4<>/dev/udp/127.0.0.1/9`
    await once(spawn('bash', ['-c', connect]), 'exit')
    child.stdin.write('\n')
    await once(child, 'exit')
    assert.match(output, /^2 connections$/m)
  } finally {
    child.kill()
    rmSync(file)
  }
})
