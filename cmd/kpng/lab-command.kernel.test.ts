import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { labDown, labUp, noAgents } from '@kpng/lab'

const kpng = join(import.meta.dirname, '../../bin/kpng')
const name = `lc${process.pid.toString(36)}${Math.random().toString(36).slice(2, 6)}`
const manifests = mkdtempSync(join(tmpdir(), 'kpng-lab-command-'))

const objects = [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name: 'web', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.180.0.1'], nodeName: 'n1' }],
  },
]

before(async () => {
  writeFileSync(
    join(manifests, 'objects.json'),
    JSON.stringify({ kind: 'List', apiVersion: 'v1', items: objects }),
  )
  await labUp({ name, state: manifests, agents: noAgents })
})
after(async () => {
  await labDown(name)
  rmSync(manifests, { recursive: true, force: true })
})

async function run(args: readonly string[], input = '') {
  const child = spawn(kpng, ['lab', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const closed = new Promise<readonly [number | null, string | null]>(resolve =>
    child.once('close', (code, signal) => resolve([code, signal])),
  )
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { stdout, stderr, code, signal }
}
const exec = (command: readonly string[], input?: string, who = 'node/n1') =>
  run(['exec', '--name', name, who, '--', ...command], input)

test('exec: stdin, stdout, stderr, exit status', async () => {
  const result = await exec(['sh', '-c', 'cat; echo oops >&2; exit 7'], 'some\0bytes')
  assert.deepEqual(result, { stdout: 'some\0bytes', stderr: 'oops\n', code: 7, signal: null })
})

test('exec: the namespace, the cgroup, the host’s files, arguments as they are', async () => {
  const script = 'ip -brief -4 addr show dev eth0; cat /proc/self/cgroup; ls "$1"; echo "$2"'
  const { stdout, stderr } = await exec(['sh', '-c', script, 'sh', manifests, '-o a=b -- "x'])
  assert.match(stdout, /172\.30\.0\.11\/32/, stderr)
  assert.match(stdout, new RegExp(`^0::/kpng-${name}/n1$`, 'm'))
  assert.match(stdout, /^objects\.json$/m)
  assert.match(stdout, /^-o a=b -- "x$/m)
  const pod = await exec(['cat', '/proc/self/cgroup'], '', 'pod/10.180.0.1')
  assert.match(pod.stdout, new RegExp(`^0::/kpng-${name}/n1$`, 'm'))
  const client = await exec(['cat', '/proc/self/cgroup'], '', 'client/198.51.100.1')
  assert.match(client.stdout, new RegExp(`^0::/kpng-${name}/_outside$`, 'm'))
})

test('exec: signals reach the command, its death by one is seen, and SIGPIPE is as usual', async () => {
  const child = spawn(kpng, [
    'lab',
    'exec',
    '--name',
    name,
    'node/n1',
    '--',
    'sh',
    '-c',
    'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.05; done',
  ])
  let said = ''
  child.stdout.on('data', (piece: Buffer) => {
    said += piece.toString()
    if (said === 'ready\n') child.kill('SIGTERM')
  })
  assert.equal(await new Promise(resolve => child.once('close', resolve)), 3)
  assert.equal(said, 'ready\ngot\n')
  assert.equal((await exec(['sh', '-c', 'kill -KILL $$'])).signal, 'SIGKILL')
  const { stdout } = await exec(['grep', 'SigIgn', '/proc/self/status'])
  const ignored = BigInt(`0x${/SigIgn:\s+([0-9a-f]+)$/m.exec(stdout)?.[1]}`)
  // Without 32 and 33: make starts its commands with these ignored, glibc keeps them to itself.
  assert.equal(ignored & 0x7fff_ffffn, 0n, stdout)
})

test('exec: a command that is not there', async () => {
  const { code, stderr } = await exec(['no-such-command-anywhere'])
  assert.equal(code, 127, stderr)
})

test('probe: JSON to the letter, and a table', async () => {
  const args = ['probe', '--name', name, '--from', 'node/n1', '--to', '10.180.0.1:80', '--count', '3']
  const json = await run([...args, '-o', 'json'])
  assert.equal(
    json.stdout,
    '{"sent":3,"answered":{"10.180.0.1:80":3},"refused":0,"unreachable":0,"timedOut":0,"errors":{},"sources":{"172.30.0.11":3}}\n',
  )
  assert.deepEqual([json.code, json.stderr], [0, ''])
  assert.match((await run(args)).stdout, /10\.180\.0\.1:80 +3 +100\.0%\n3 sent, seen as 172\.30\.0\.11\n/)
  const nobody = await run([
    'probe',
    '--name',
    name,
    '--from',
    'node/n1',
    '--to',
    '10.180.0.1:81',
    '-o',
    'json',
  ])
  assert.equal(nobody.code, 0, 'all tries were made')
})

test('bad usage is exit code 2, what is not there is 1', async () => {
  const to = ['--to', '10.180.0.1:80']
  const from = ['--from', 'node/n1']
  const bad = [
    ['probe', '--name', name, ...from],
    ['probe', '--name', name, ...from, '--to', 'fd00::1:80'],
    ['probe', '--name', name, '--from', 'n1', ...to],
    ['probe', '--name', name, '--from', 'node/nobody', ...to],
    ['probe', '--name', name, '--from', 'pod/10.180.0.77', ...to],
    ['probe', '--name', name, ...from, ...to, '--count', '0'],
    ['probe', '--name', name, ...from, ...to, '--timeout-ms', 'soon'],
    ['probe', '--name', 'No_Name', ...from, ...to],
    ['exec', '--name', name],
    ['exec', '--name', name, 'node/nobody', '--', 'true'],
    ['up', '--name', name, '--state', manifests, '--source', 'cloud'],
    ['kubectl', '--name', name],
    ['nonsense'],
  ]
  for (const args of bad) assert.equal((await run(args)).code, 2, args.join(' '))
  assert.equal((await run(['probe', '--name', `${name}x`, ...from, ...to])).code, 1)
  assert.equal((await run(['apply', '--name', `${name}x`, '--state', manifests])).code, 1)
  const withoutApi = await run(['kubectl', '--name', name, '--', 'get', 'nodes'])
  assert.equal(withoutApi.code, 1)
  assert.match(withoutApi.stderr, /has no API server: kpng lab up --source kube makes one/)
})

test('ls shows the lab; down of one that is not there is no failure', async () => {
  const { stdout } = await run(['ls', '-o', 'json', '--name', name])
  const [lab] = JSON.parse(stdout) as Array<{ name: string; pods: unknown }>
  assert.deepEqual(lab?.pods, [{ address: '10.180.0.1', node: 'n1' }])
  assert.match((await run(['ls'])).stdout, new RegExp(`^${name} `, 'm'))
  assert.equal((await run(['down', '--name', `${name}x`])).code, 0)
})
