import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KpngError } from '@kpng/api'
import { proxyFromEnvironment } from './http-proxy.ts'

const proxy = (server: string, env: Record<string, string>): string =>
  proxyFromEnvironment(new URL(server), env)?.href ?? 'none'

test('proxy: by the scheme of the server, large letters before small ones', () => {
  const env = { HTTPS_PROXY: 'https://s:1', https_proxy: 'http://never', http_proxy: 'http://h:2' }
  assert.equal(proxy('https://api', env), 'https://s:1/')
  assert.equal(proxy('http://api', env), 'http://h:2/')
  assert.equal(proxy('https://api', {}), 'none')
  assert.equal(proxy('https://api', { HTTPS_PROXY: 'user:pass@p:3128' }), 'http://user:pass@p:3128/')
})

test('proxy: never to this machine', () => {
  for (const server of ['https://127.0.0.1:6443', 'https://localhost', 'https://[::1]:6443'])
    assert.equal(proxy(server, { HTTPS_PROXY: 'http://p' }), 'none')
})

// Go's documentation of httpproxy.Config.NoProxy, case by case.
const rows: ReadonlyArray<[noProxy: string, server: string, direct: boolean]> = [
  ['*', 'https://api.example.com', true],
  ['example.com', 'https://example.com', true],
  ['example.com', 'https://api.example.com', true],
  ['example.com', 'https://notexample.com', false],
  ['.example.com', 'https://api.example.com', true],
  ['.example.com', 'https://example.com', false],
  ['*.example.com', 'https://api.example.com', true],
  ['EXAMPLE.com', 'https://Api.Example.com', true],
  ['example.com:6443', 'https://example.com:6443', true],
  ['example.com:6443', 'https://example.com', false],
  ['example.com:443', 'https://example.com', true],
  ['10.0.0.0/8', 'https://10.96.0.1', true],
  ['10.0.0.0/8', 'https://11.0.0.1', false],
  ['10.0.0.0/99', 'https://10.0.0.1', false],
  ['10.96.0.1', 'https://10.96.0.1', true],
  ['10.96.0.1:443', 'https://10.96.0.1', true],
  ['10.96.0.1:80', 'https://10.96.0.1', false],
  ['10.96.0.1', 'https://10.96.0.10', false],
  ['fd00::/64', 'https://[fd00::1]', true],
  ['fd00:0::1', 'https://[fd00::1]', true],
  ['[fd00::1]:443', 'https://[fd00::1]', true],
  ['fd00::1', 'https://[fd00::2]', false],
  ['0.0.0.0/0', 'https://[fd00::2]', false],
  [' a , ,example.com ', 'https://example.com', true],
  ['', 'https://example.com', false],
]
for (const [noProxy, server, direct] of rows) {
  test(`proxy: NO_PROXY=${JSON.stringify(noProxy)}: ${server} ${direct ? 'directly' : 'through it'}`, () => {
    for (const name of ['NO_PROXY', 'no_proxy'])
      assert.equal(proxy(server, { https_proxy: 'http://p', [name]: noProxy }), direct ? 'none' : 'http://p/')
  })
}

test('proxy: what is none is refused, without its password', () => {
  assert.throws(
    () => proxy('https://api', { HTTPS_PROXY: 'ftp://u:secret@p' }),
    (error: unknown) =>
      error instanceof KpngError && error.code === 'usage' && !error.message.includes('secret'),
  )
})
