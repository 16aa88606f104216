import assert from 'node:assert/strict'
import { test } from 'node:test'
import { libbpf, openLibbpf } from './libbpf.ts'

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
