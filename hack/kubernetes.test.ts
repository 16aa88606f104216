import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, test } from 'node:test'

/** Says its version, and takes a moment to "build" a file that names the package; fails for kube-proxy. */
const fakeGo = `#!/bin/sh
[ "$1" != env ] || { echo go1.26.3; exit; }
while [ $# -gt 1 ]; do
	[ "$1" != -o ] || out=$2
	shift
done
echo "$1" >>"$FAKE_GO_LOG"
printf half >"$out"
sleep 0.2
case $1 in */kube-proxy) echo 'no such package' >&2; exit 1 ;; esac
echo "$1" >"$out"; chmod +x "$out"
`

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kpng-hack-test-'))
  mkdirSync(join(directory, 'bin'))
  writeFileSync(join(directory, 'bin/go'), fakeGo)
  chmodSync(join(directory, 'bin/go'), 0o755)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function run(...args: readonly string[]) {
  const child = spawn(join(import.meta.dirname, 'kubernetes'), args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
      XDG_CACHE_HOME: directory,
      FAKE_GO_LOG: join(directory, 'log'),
    },
  })
  const closed = new Promise<number | null>(resolve => child.once('close', resolve))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { stdout, stderr, code }
}

const built = (): string[] =>
  existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8').trim().split('\n') : []

test('builds what the tests need, below the cache directory, and only once', async () => {
  const { stdout } = await run('--where')
  const bin = stdout.trim()
  assert.match(bin, new RegExp(`^${directory}/kpng/kubernetes/[0-9a-f]{16}/bin$`))
  assert.deepEqual(built(), [])
  const first = await run()
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /building kube-apiserver \(Kubernetes v\d+\.\d+\.\d+\)/)
  assert.deepEqual(readdirSync(bin).sort(), ['etcd', 'kube-apiserver', 'kubectl'])
  assert.deepEqual(built(), [
    'go.etcd.io/etcd/server/v3',
    'k8s.io/kubernetes/cmd/kube-apiserver',
    'k8s.io/kubernetes/cmd/kubectl',
  ])
  assert.deepEqual(await run(), { stdout: '', stderr: '', code: 0 })
  assert.equal(built().length, 3)
})

test('two at once build it once', async () => {
  const runs = await Promise.all([run('etcd', 'kubectl'), run('kubectl', 'etcd')])
  assert.deepEqual(
    runs.map(({ code }) => code),
    [0, 0],
  )
  assert.equal(built().length, 2)
  assert.match(runs.map(({ stdout }) => stdout).join(), /waiting for another run/)
})

test('what fails is said and leaves nothing that looks like a program', async () => {
  const { code, stderr } = await run('kube-proxy')
  assert.equal(code, 1)
  assert.match(stderr, /no such package[\s\S]*go build kube-proxy failed/)
  const bin = (await run('--where')).stdout.trim()
  assert.deepEqual(
    readdirSync(bin).filter(name => !name.startsWith('.')),
    [],
  )
})

test('an unknown name is refused before anything is built', async () => {
  const { code, stderr } = await run('etcd', 'kubelet')
  assert.equal(code, 1)
  assert.match(stderr, /unknown program 'kubelet'/)
  assert.deepEqual(built(), [])
})
