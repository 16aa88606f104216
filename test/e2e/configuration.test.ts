/** kube-proxy's configuration file and flags, given to an agent as a DaemonSet gives them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { kpngPath } from './lab.ts'
import { node, service } from './manifests.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const cluster = [
  node('node-a', ['192.0.2.1']),
  service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] }),
]

/** A directory as the kubelet makes it of a ConfigMap, with one file; taken away when the test ends. */
class ConfigMap implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'kpng-test-'))
  #version = 0

  constructor(text: string) {
    this.swap(text)
    symlinkSync('..data/config.conf', this.path)
  }

  get path(): string {
    return join(this.#directory, 'config.conf')
  }

  swap(text: string): void {
    const version = `..${++this.#version}`
    mkdirSync(join(this.#directory, version))
    writeFileSync(join(this.#directory, version, 'config.conf'), text)
    symlinkSync(version, join(this.#directory, '..data_tmp'))
    renameSync(join(this.#directory, '..data_tmp'), join(this.#directory, '..data'))
    rmSync(join(this.#directory, `..${this.#version - 1}`), { recursive: true, force: true })
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}

test('[KP-10.1.4] an agent whose ConfigMap changes ends with an error, and the next one has it', async () => {
  await using host = new TestHost()
  using config = new ConfigMap(`${head}mode: nftables\n`)
  const agent = host.agent()
  agent.write(cluster)
  const child = agent.spawn(['--config', config.path])
  await agent.sync()
  const ended = once(child, 'exit')
  config.swap(`${head}mode: nftables\nnftables: {syncPeriod: 45s}\n`)
  assert.deepEqual(await ended, [1, null])
  assert.match(agent.log, /has changed: nftables\.syncPeriod is \\?"45s\\?", was \\?"30s\\?"/)
  await agent.start(['--config', config.path])
  assert.equal(await agent.stop(), 0)
})

test('[KP-10.2.1] the arguments of a kube-proxy DaemonSet are taken, each one without effect with a warning', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write(cluster)
  await agent.start(
    `--hostname-override=Node-A --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 --v=2 --masquerade-all=true
    --iptables-masquerade-bit=14 --conntrack-max-per-core 0 --ipvs-strict-arp --logging-format=text --profiling=false
    --nodeport-addresses=192.0.2.0/24 --oom-score-adj=500 --feature-gates=A=true,B=false --kube-api-qps=20
    --healthz-port=0 --metrics-port=0 --iptables-sync-period=1m --config-sync-period=15m0s --bind-address=0.0.0.0`.split(
      /\s+/,
    ),
    'another',
  )
  const warnings = agent.log
    .split('\n')
    .flatMap(line => /"msg":"(--[a-z-]+): has no effect: ./.exec(line)?.[1] ?? [])
  for (const flag of [
    '--proxy-mode',
    '--iptables-masquerade-bit',
    '--ipvs-strict-arp',
    '--logging-format',
    '--feature-gates',
  ])
    assert.equal(warnings.filter(it => it === flag).length, 1, flag)
  for (const flag of ['--cluster-cidr', '--masquerade-all', '--oom-score-adj', '--iptables-sync-period'])
    assert.ok(!warnings.includes(flag), flag)
  assert.match(agent.log, /"node":"node-a"/)
  assert.equal(readFileSync(`/proc/${agent.pid}/oom_score_adj`, 'utf8').trim(), '500')
  assert.match(agent.log, /"level":"debug".*"msg":"SyncProxyRules complete"/)
})

test('[KP-10.1.3 KP-10.3.1] a configuration with mistakes ends the start with all of them, and touches nothing', async () => {
  await using host = new TestHost()
  using config = new ConfigMap(`${head}oomScoreAdj: 5000\nmod: x\n`)
  const agent = host.agent()
  agent.write(cluster)
  const child = agent.spawn(['--config', config.path, '--bind-address', 'here'])
  const [code] = await once(child, 'close')
  assert.equal(code, 2)
  assert.match(agent.log, /config\.conf:3:1: oomScoreAdj: must be from -1000 to 1000, is 5000/)
  assert.match(agent.log, /config\.conf:4:1: mod: unknown field/)
  assert.match(agent.log, /--bind-address: "here" is not an IP address/)
  assert.equal(existsSync(`/run/kpng/${agent.instance}`), false)
  assert.equal(existsSync(`/sys/fs/bpf/kpng/${agent.instance}`), false)
})

test('[KP-10.2.1] --init-only prepares the machine and ends; --cleanup leaves nothing', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write(cluster)
  const [code] = await once(agent.spawn(['--init-only']), 'close')
  assert.equal(code, 0, agent.log)
  const pins = `/sys/fs/bpf/kpng/${agent.instance}`
  assert.equal(existsSync(join(pins, 'living')), true)
  await agent.start()
  await agent.stop()
  const cleaned = await host.run([kpngPath, 'kube', 'to-ebpf', '--cleanup', '--instance', agent.instance])
  assert.equal(cleaned.exitCode, 0, cleaned.stderr)
  assert.equal(existsSync(pins), false)
  assert.equal(existsSync(`/run/kpng/${agent.instance}`), false)
})
