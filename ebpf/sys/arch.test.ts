import assert from 'node:assert/strict'
import { test } from 'node:test'
import { syscallNumbers } from './arch.ts'

test('bpf(2) has its number on each machine', () => {
  assert.equal(syscallNumbers('x64', 'LE').bpf, 321)
  assert.equal(syscallNumbers('arm64', 'LE').bpf, 280)
})

test('[KPNG-C14] a big-endian machine is refused with a message that says so', () => {
  assert.throws(() => syscallNumbers('s390x', 'BE'), { code: 'UNSUPPORTED', message: /big-endian \(s390x\)/ })
})

test('an unknown machine is refused with a message that names those that work', () => {
  assert.throws(() => syscallNumbers('riscv64', 'LE'), {
    code: 'UNSUPPORTED',
    message: /riscv64.*amd64 and arm64/,
  })
})
