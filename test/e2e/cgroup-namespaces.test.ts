import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { noServers } from './agent-process.ts'
import { kpngPath } from './lab.ts'

/** The machine's cgroup2 mount: everything that a test serves is below it. */
const machineRoot = '/sys/fs/cgroup/unified'

interface Check {
  readonly name: string
  readonly health: string
  readonly found: string
  readonly advice: string
}

/** How a process is started: namespaces by unshare's options, then a script in them. */
const inside = (options: readonly string[], script = 'true'): string[] => [
  'unshare',
  ...options,
  'sh',
  '-ec',
  `${script}; exec "$@"`,
  'sh',
]

/** What the doctor finds, started inside of the host's cgroup. */
async function checks(host: TestHost, around: readonly string[]): Promise<ReadonlyMap<string, Check>> {
  const command = [...around, kpngPath, 'doctor', '-o', 'json', '--instance', host.name]
  const { stdout, stderr } = await host.run(command)
  assert.equal(stderr, '')
  return new Map((JSON.parse(stdout) as Check[]).map(check => [check.name, check]))
}

/** The directory that an agent would choose, and the cgroup that it is. */
async function chosen(host: TestHost, around: readonly string[]): Promise<readonly [string, number]> {
  const check = (await checks(host, around)).get('cgroup root')
  assert.equal(check?.health, 'good', check?.found)
  const directory = check?.found ?? ''
  const { stdout } = await host.run([...around, 'stat', '-c', '%i', directory])
  return [directory, Number(stdout)]
}

const inode = (directory: string): number => statSync(directory).ino
const remount = `umount -l ${machineRoot}; mount -t cgroup2 none ${machineRoot}`

test('[KPNG-C18] on this machine the root is that of the cgroup2 mount, whatever stands beside it', async () => {
  await using host = new TestHost()
  assert.deepEqual(await chosen(host, []), [machineRoot, inode(machineRoot)])
  const v1 = readFileSync('/proc/self/mountinfo', 'utf8').match(/ - cgroup /g)?.length ?? 0
  const version = (await checks(host, [])).get('cgroup version')
  assert.deepEqual(
    [version?.health, version?.found],
    [
      'good',
      v1 === 0 ? 'version 2 only' : `version 2 beside ${v1} hierarchies of version 1, which are left alone`,
    ],
  )
})

test('[KPNG-C18 DP-9.1] a private cgroup namespace that still sees the machine’s mount chooses the machine’s root', async () => {
  await using host = new TestHost()
  assert.deepEqual(await chosen(host, inside(['--cgroup'])), [machineRoot, inode(machineRoot)])
})

test('[KPNG-C18 DP-9.1] a private cgroup namespace with a mount of its own chooses the machine’s, mounted elsewhere', async () => {
  await using host = new TestHost()
  const script = `mount -t tmpfs none /mnt; mkdir /mnt/host; mount --bind ${machineRoot} /mnt/host; ${remount}`
  const around = inside(['--cgroup', '--mount'], script)
  assert.deepEqual(await chosen(host, around), ['/mnt/host', inode(machineRoot)])
})

test('[KPNG-C18 DP-9.1] a private cgroup namespace with nothing but its own mount is refused, by doctor and agent', async () => {
  await using host = new TestHost()
  const around = inside(['--cgroup', '--mount'], remount)
  const check = (await checks(host, around)).get('cgroup root')
  assert.equal(check?.health, 'bad')
  assert.match(check?.found ?? '', /private cgroup namespace/)
  assert.match(check?.advice ?? '', /--cgroup-root/)

  // Disposed of with the host: what the refused agent leaves is below /run.
  const { instance } = host.agent()
  const command = ['file', '-i', '/nowhere', 'to-ebpf', '--node-name', 'node-a', '--instance', instance]
  const { exitCode, stderr } = await host.run([...around, kpngPath, ...command, ...noServers])
  assert.equal(exitCode, 1, stderr)
  assert.match(stderr, /^kpng: this process is in a private cgroup namespace, .*--cgroup-root$/m)
})

test('[KPNG-C18] a node that is itself a container, with processes and cgroups of its own, serves its own root', async () => {
  await using host = new TestHost()
  mkdirSync(join(host.cgroup, 'kubepods'))
  const around = inside(['--cgroup', '--mount', '--pid', '--fork', '--mount-proc'], remount)
  assert.deepEqual(await chosen(host, around), [machineRoot, inode(host.cgroup)])
})

test('[KPNG-C18] the same without any cgroup of a node is refused', async () => {
  await using host = new TestHost()
  const around = inside(['--cgroup', '--mount', '--pid', '--fork', '--mount-proc'], remount)
  const check = (await checks(host, around)).get('cgroup root')
  assert.match(check?.found ?? '', /private cgroup namespace/)
})

test('[KPNG-C18] without any cgroup2 mount the doctor says which to make', async () => {
  await using host = new TestHost()
  const around = inside(['--mount'], `umount -l ${machineRoot}`)
  const check = (await checks(host, around)).get('cgroup root')
  assert.equal(check?.health, 'bad')
  assert.match(check?.found ?? '', /mount -t cgroup2 none/)
})
