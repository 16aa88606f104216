import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeArguments } from './arguments.ts'

const cases: Array<[name: string, input: string, output: string]> = [
  ['one path', 'file -i a to-ebpf', 'file -i a to-ebpf'],
  [
    'several paths after one -i',
    'file -i a b c to-ebpf --node-name n',
    'file -i a -i b -i c to-ebpf --node-name n',
  ],
  ['--input likewise', 'file --input a b to-ebpf', 'file --input a -i b to-ebpf'],
  ['repeated -i', 'file -i a -i b to-ebpf', 'file -i a -i b to-ebpf'],
  ['the word to-local', 'file -i a to-local to-ebpf', 'file -i a to-ebpf'],
  ['to-local alone is left for the parser to refuse', 'file -i a to-local', 'file -i a to-local'],
  [
    'the word to-local after kube',
    'kube --server https://s to-local to-ebpf',
    'kube --server https://s to-ebpf',
  ],
  ['[KP-10.2.1] kube-proxy’s way to ask for the version', 'kube to-ebpf --v 2 --version=raw', '--version'],
  ['the version not asked for', 'kube to-ebpf --version=false --v 2', 'kube to-ebpf --v 2'],
  ['paths after the sink', 'file to-ebpf -i a b', 'file to-ebpf -i a -i b'],
  [
    'other commands are left alone',
    'lab exec --name l node/a -- sh -i a b',
    'lab exec --name l node/a -- sh -i a b',
  ],
]
for (const [name, input, output] of cases) {
  test(name.startsWith('[') ? name : `arguments: ${name}`, () => {
    assert.equal(normalizeArguments(input.split(' ')).join(' '), output)
  })
}
