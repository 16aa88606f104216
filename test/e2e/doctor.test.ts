import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { kpngPath } from './lab.ts'

interface Check {
  readonly name: string
  readonly health: 'good' | 'warning' | 'bad'
  readonly found: string
  readonly advice: string
}

/** What the doctor says when it is started by `around`, without what it finds good. */
async function complaints(host: TestHost, around: readonly string[], ...flags: string[]) {
  const command = [kpngPath, 'doctor', '-o', 'json', '--instance', host.name, ...flags]
  const result = await host.run([...around, ...command])
  assert.equal(result.stderr, '')
  const checks = JSON.parse(result.stdout) as Check[]
  const bad = checks.some(({ health }) => health === 'bad')
  assert.equal(result.exitCode, bad ? 1 : 0, 'the exit status says whether something is bad')
  // Another proxy may well run on the machine that tests.
  return checks.filter(({ name, health }) => health !== 'good' && name !== 'other proxies')
}

const names = (checks: readonly Check[]): string[] => checks.map(({ health, name }) => `${health} ${name}`)
const inMounts = (script: string): string[] => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `${script} && exec "$@"`,
  'sh',
]
const dropping = (...capabilities: string[]): string[] => [
  'setpriv',
  `--bounding-set=${capabilities.map(name => `-${name}`).join(',')}`,
]

test('a machine that runs agents gets no complaint', async () => {
  await using host = new TestHost()
  assert.deepEqual(await complaints(host, []), [])
})

for (const [capability, expected] of [
  ['net_admin', /^bad capability NET_ADMIN/],
  ['sys_ptrace', /^warning capability SYS_PTRACE$/],
  ['sys_admin', /^bad capability SYS_ADMIN$/],
] as const)
  test(`without CAP_${capability.toUpperCase()}`, async () => {
    await using host = new TestHost()
    const found = await complaints(host, dropping(capability))
    assert.match(names(found).join(), expected)
  })

for (const [capability, expected] of [
  ['bpf', 'bad capability BPF'],
  ['perfmon', 'bad capability PERFMON'],
] as const)
  test(`without CAP_${capability.toUpperCase()}, which CAP_SYS_ADMIN would include`, async () => {
    await using host = new TestHost()
    assert.deepEqual(await complaints(host, dropping(capability)), [])
    const found = names(await complaints(host, dropping(capability, 'sys_admin')))
    assert.ok(found.includes(expected), found.join())
  })

test('without a BPF file system', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs none /sys/fs/bpf'))
  assert.deepEqual(names(found), ['warning BPF file system'])
  assert.match(found[0]?.advice ?? '', /mount -t bpf/)
})

test('without the kernel’s BTF', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs none /sys/kernel/btf'))
  assert.ok(names(found).includes('bad kernel BTF'), names(found).join())
})

test('without libbpf', async () => {
  await using host = new TestHost()
  const library = execFileSync('sh', ['-c', 'ldconfig -p | sed -n "s/.*libbpf.so.1 .*=> //p" | head -n 1'])
  const found = await complaints(
    host,
    inMounts(`mount --bind /dev/null "$(readlink -f ${library.toString().trim()})"`),
  )
  assert.deepEqual(names(found), ['bad libbpf'])
  assert.match(found[0]?.advice ?? '', /apt install libbpf1/)
})

test('with a cgroup root that is hidden', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs none /sys/fs/cgroup'))
  assert.deepEqual(names(found), ['bad cgroup root'])
})

test('without /proc', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs none /proc'))
  assert.deepEqual(names(found), ['bad processes', 'bad cgroup root'])
  assert.match(found[0]?.advice ?? '', /mount -t proc/)
})

test('without /sys', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs none /sys'))
  assert.deepEqual(names(found), ['bad kernel BTF', 'bad BPF file system', 'bad cgroup root'])
  assert.match(found[2]?.found ?? '', /cannot be used: ENOENT/)
})

test('with a /run that nobody can write', async () => {
  await using host = new TestHost()
  const found = await complaints(host, inMounts('mount -t tmpfs -o ro none /run'))
  assert.deepEqual(names(found), ['bad run directory'])
  assert.match(found[0]?.found ?? '', /EROFS/)
})

for (const [name, value, advice] of [
  ['net.core.bpf_jit_enable', 0, 'sysctl -w net.core.bpf_jit_enable=1'],
  ['net.core.bpf_jit_harden', 2, 'sysctl -w net.core.bpf_jit_harden=1'],
  ['kernel.bpf_stats_enabled', 1, 'sysctl -w kernel.bpf_stats_enabled=0'],
] as const)
  test(`with sysctl ${name} at ${value}`, async () => {
    await using host = new TestHost()
    // What it is for the machine stays as it is. Some show only in the machine's network namespace.
    const network = ['nsenter', `--net=/proc/${process.pid}/ns/net`]
    const path = `/proc/sys/${name.replaceAll('.', '/')}`
    const script = `mount -t tmpfs none /mnt && echo ${value} > /mnt/value && mount --bind /mnt/value ${path}`
    const found = await complaints(host, [...network, ...inMounts(script)])
    assert.deepEqual(names(found), [`warning sysctl ${name}`])
    assert.equal(found[0]?.advice, advice)
  })

test('[DP-9.1] in a private cgroup namespace, where the root is not the node’s', async () => {
  await using host = new TestHost()
  const mounted = 'umount -l /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified'
  const found = await complaints(host, ['unshare', '--cgroup', ...inMounts(mounted)])
  assert.deepEqual(names(found), ['bad cgroup root'])
  assert.match(found[0]?.found ?? '', /private cgroup namespace/)
})

test('with a directory that is none of a cgroup2 file system', async () => {
  await using host = new TestHost()
  const found = await complaints(host, [], '--cgroup-root', '/tmp')
  assert.match(found[0]?.found ?? '', /\/tmp is not on a cgroup2 file system/)
})

test('with an agent, of whom it says how it is', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write([])
  await agent.start()
  const result = await host.run([kpngPath, 'doctor', '--instance', agent.instance])
  assert.match(result.stdout, /agent .*good .*pid \d+, synced/)
})
