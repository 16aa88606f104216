import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import {
  applyKernelSettings,
  type ConntrackConfiguration,
  conntrackSettings,
  type KernelSetting,
} from './conntrack-sysctls.ts'

const hour = 3_600_000
const defaults: ConntrackConfiguration = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeout: 24 * hour,
  tcpCloseWaitTimeout: hour,
  tcpBeLiberal: false,
  udpTimeout: 0,
  udpStreamTimeout: 0,
}

/** What is set where only the fields given are the user's. */
const wanted = (given: Partial<ConntrackConfiguration>, cores = 2): Record<string, number> => {
  const set = new Set(Object.keys(given) as (keyof ConntrackConfiguration)[])
  const settings = conntrackSettings({ ...defaults, ...given }, set, cores)
  return Object.fromEntries(settings.map(({ path, value }) => [basename(path), value]))
}

test('what nobody asked for is left as it is', () => {
  assert.deepEqual(wanted({}), {})
})

for (const [given, cores, max] of [
  [{ maxPerCore: 32_768 }, 2, 131_072],
  [{ maxPerCore: 32_768 }, 16, 524_288],
  [{ min: 200_000 }, 2, 200_000],
  [{ maxPerCore: 32_768 }, 64, 1_048_576],
  [{ maxPerCore: 1_000_000, min: 9_000_000 }, 2, 1_048_576],
] as const)
  test(`[KP-7.7] ${JSON.stringify(given)} on ${cores} cores: ${max} connections, a bucket for every four`, () => {
    assert.deepEqual(wanted(given, cores), { nf_conntrack_max: max, hashsize: Math.floor(max / 4) })
  })

test('[KP-7.7] maxPerCore 0 leaves the table alone, whatever the minimum', () => {
  assert.deepEqual(wanted({ maxPerCore: 0, min: 500_000 }), {})
})

test('[KP-7.8 KP-7.9 KP-7.11] timeouts are in seconds, 0 leaves one alone', () => {
  assert.deepEqual(
    wanted({
      tcpEstablishedTimeout: 2 * hour,
      tcpCloseWaitTimeout: hour,
      udpTimeout: 0,
      udpStreamTimeout: 90_000,
    }),
    {
      nf_conntrack_tcp_timeout_established: 7200,
      nf_conntrack_tcp_timeout_close_wait: 3600,
      nf_conntrack_udp_timeout_stream: 90,
    },
  )
})

test('[KP-7.10] be liberal when asked, never the opposite', () => {
  assert.deepEqual(wanted({ tcpBeLiberal: true }), { nf_conntrack_tcp_be_liberal: 1 })
  assert.deepEqual(wanted({ tcpBeLiberal: false }), {})
})

test('[KP-7.12] only what differs is written, and a failure does not stop the rest', () => {
  const contents = new Map([
    ['/same', '5\n'],
    ['/other', '4\n'],
    ['/greater', '9\n'],
    ['/denied', '1\n'],
    ['/last', '1\n'],
  ])
  const written: string[] = []
  const denied = new Error('EACCES')
  const files = {
    read(path: string): string {
      const text = contents.get(path)
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
    write(path: string, text: string): void {
      if (path === '/denied') throw denied
      written.push(`${path}=${text}`)
    },
  }
  const settings: KernelSetting[] = [
    { path: '/same', value: 5 },
    { path: '/other', value: 5 },
    { path: '/greater', value: 5, atLeast: true },
    { path: '/denied', value: 5 },
    { path: '/absent', value: 5 },
    { path: '/last', value: 5 },
  ]
  const applied = applyKernelSettings(settings, files)
  assert.deepEqual(written, ['/other=5', '/last=5'])
  assert.deepEqual(
    applied.map(({ setting, error }) => [setting.path, error instanceof Error ? error.message : 'written']),
    [
      ['/other', 'written'],
      ['/denied', 'EACCES'],
      ['/absent', 'ENOENT'],
      ['/last', 'written'],
    ],
  )
})
