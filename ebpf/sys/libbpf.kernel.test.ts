import assert from 'node:assert/strict'
import { test } from 'node:test'
import { libbpf, openLibbpf, requireVersion } from './libbpf.ts'

test('libbpf is there, with all functions that are used', () => {
  assert.equal(libbpf().major(), 1)
  assert.equal(libbpf(), libbpf())
})

test('a missing libbpf is named, with the package that brings it', () => {
  assert.throws(() => openLibbpf('libnowhere.so.1'), {
    code: 'LIBBPF',
    message: /libnowhere\.so\.1 cannot be opened.*apt install libbpf1/,
  })
})

test('a library without the functions is refused, naming the first that is missing', () => {
  assert.throws(() => openLibbpf('libc.so.6'), {
    code: 'LIBBPF',
    message: /lacks a function.*libbpf_major_version/,
  })
})

test('a version that is too old or another major one is refused', () => {
  requireVersion('libbpf.so.1', 1, 1)
  requireVersion('libbpf.so.1', 1, 10)
  for (const [major, minor] of [
    [0, 8],
    [1, 0],
    [2, 3],
  ] as const) {
    assert.throws(() => requireVersion('libbpf.so.1', major, minor), {
      code: 'LIBBPF',
      message: `libbpf.so.1 is version ${major}.${minor}: 1.1 or a later 1.x is needed`,
    })
  }
})
