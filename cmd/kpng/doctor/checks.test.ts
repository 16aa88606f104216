import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Feature, features, type Outcome } from '@kpng/ebpf'
import { type Check, checksOf } from './checks.ts'
import { cgroupV1Mounts, type Facts } from './facts.ts'

const all = (outcome: Outcome): Record<Feature, Outcome> =>
  Object.fromEntries(features.map(name => [name, outcome])) as Record<Feature, Outcome>

const allCapabilities = 0x1ffffffffffn

const healthy: Facts = {
  platform: 'linux',
  architecture: 'arm64',
  release: '6.1.0',
  kernelBtf: { value: true },
  features: all('yes'),
  libbpf: { value: '1.3' },
  proc: { value: true },
  capabilities: { value: allCapabilities },
  bpffs: { value: true },
  cgroupRoot: { value: '/sys/fs/cgroup' },
  cgroupV1: { value: 0 },
  runDirectory: { value: true },
  sysctls: new Map([['net.core.bpf_jit_enable', '1']]),
  otherProxies: [],
  agent: { value: { pid: 7, synced: true, problems: 0 } },
}

const notGood = (facts: Partial<Facts>): string[] =>
  checksOf({ ...healthy, ...facts })
    .filter(({ health }) => health !== 'good')
    .map(({ name, health }) => `${health} ${name}`)

const without = (...bits: number[]): Partial<Facts> => ({
  capabilities: { value: bits.reduce((left, bit) => left & ~(1n << BigInt(bit)), allCapabilities) },
})

test('nothing to say of a healthy machine', () => {
  assert.deepEqual(notGood({}), [])
})

const cases: ReadonlyArray<readonly [what: string, facts: Partial<Facts>, expected: string[]]> = [
  ['another machine', { architecture: 's390x' }, ['bad machine']],
  ['no capability NET_ADMIN', without(12), ['bad capability NET_ADMIN']],
  ['no capability BPF, but SYS_ADMIN', without(39), []],
  ['neither BPF nor SYS_ADMIN', without(39, 21), ['bad capability BPF', 'bad capability SYS_ADMIN']],
  ['neither PERFMON nor SYS_ADMIN', without(38, 21), ['bad capability PERFMON', 'bad capability SYS_ADMIN']],
  ['no capability SYS_PTRACE', without(19), ['warning capability SYS_PTRACE']],
  ['no /proc', { proc: { error: 'ENOENT' }, capabilities: { error: 'ENOENT' } }, ['bad processes']],
  ['no kernel BTF', { kernelBtf: { error: 'ENOENT' } }, ['bad kernel BTF']],
  ['no libbpf', { libbpf: { error: 'cannot be opened' } }, ['bad libbpf']],
  ['no BPF file system', { bpffs: { value: false } }, ['warning BPF file system']],
  ['no directory for one', { bpffs: { error: 'ENOENT' } }, ['bad BPF file system']],
  ['no cgroup2', { cgroupRoot: { error: 'no cgroup2 mount here' } }, ['bad cgroup root']],
  ['both cgroup versions', { cgroupV1: { value: 9 } }, []],
  ['/run is read-only', { runDirectory: { error: 'EROFS' } }, ['bad run directory']],
  [
    'no compiler in the kernel',
    { sysctls: new Map([['net.core.bpf_jit_enable', '0']]) },
    ['warning sysctl net.core.bpf_jit_enable'],
  ],
  [
    'statistics on',
    { sysctls: new Map([['kernel.bpf_stats_enabled', '1']]) },
    ['warning sysctl kernel.bpf_stats_enabled'],
  ],
  ['a second proxy', { otherProxies: ['kube-proxy'] }, ['warning other proxies']],
  ['no agent', { agent: { value: undefined } }, []],
  [
    'an agent that is not synced',
    { agent: { value: { pid: 7, synced: false, problems: 0 } } },
    ['warning agent'],
  ],
  ['an agent with problems', { agent: { value: { pid: 7, synced: true, problems: 2 } } }, ['warning agent']],
]
for (const [what, facts, expected] of cases) test(what, () => assert.deepEqual(notGood(facts), expected))

test('each feature is told by its name when it is missing, and when it could not be tried', () => {
  for (const feature of features) {
    const missing = notGood({ features: { ...all('yes'), [feature]: 'no' } })
    assert.match(missing.join(), new RegExp(`^(bad|warning) feature ${feature}$`))
    const unknown = notGood({ features: { ...all('yes'), [feature]: 'unknown' } })
    assert.deepEqual(unknown, [`warning feature ${feature}`])
  }
})

test('whatever is not good comes with something to do', () => {
  const sick: Facts = {
    platform: 'darwin',
    architecture: 'x64',
    release: '1',
    kernelBtf: { error: 'e' },
    features: all('no'),
    libbpf: { error: 'e' },
    proc: { error: 'e' },
    capabilities: { value: 0n },
    bpffs: { error: 'e' },
    cgroupRoot: { error: 'e' },
    cgroupV1: { error: 'e' },
    runDirectory: { error: 'e' },
    sysctls: new Map([['net.core.bpf_jit_enable', '0']]),
    otherProxies: ['cilium-agent'],
    agent: { error: 'e' },
  }
  const silent = ({ health, advice }: Check): boolean => (health === 'good') !== (advice === '')
  assert.deepEqual(checksOf(sick).filter(silent), [])
  assert.deepEqual(checksOf(healthy).filter(silent), [])
})

test('mounts are read as the kernel prints them', () => {
  const mountinfo = '30 25 0:26 / /c rw - cgroup cgroup rw,cpu\n31 25 0:27 / /u rw - cgroup2 cgroup2 rw\n'
  assert.equal(cgroupV1Mounts(mountinfo), 1)
})
