import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eachField } from './fields.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'
import { renderPage } from './page.ts'
import { type ProxyFlag, proxyFlags } from './proxy-flags.ts'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/configuration.md'), 'utf8')

test('docs/configuration.md says of every field and flag what the code does with it', () => {
  assert.equal(
    page,
    renderPage(page),
    'write it anew: node_modules/.bin/node hack/configuration-page/main.ts',
  )
})

test('[KP-10.1.1 KP-10.2.1] every field and flag is in it', () => {
  for (const [path] of eachField(kubeProxyFields)) assert.ok(page.includes(`| \`${path}\` |`), path)
  for (const { name } of proxyFlags) assert.ok(page.includes(`--${name}\``), name)
})

test('[KP-10.2.1] every flag of kube-proxy is taken', () => {
  // kube-proxy 1.36 --help, but for what main.ts and the source take: --cleanup, --config, --help, --init-only,
  // --kubeconfig, --master, --version, --write-config-to; and with the two that are hidden there as deprecated.
  const real = `bind-address bind-address-hard-fail boot-id-file cluster-cidr config-sync-period conntrack-max-per-core
    conntrack-min conntrack-tcp-be-liberal conntrack-tcp-timeout-close-wait conntrack-tcp-timeout-established
    conntrack-udp-timeout conntrack-udp-timeout-stream detect-local-mode feature-gates healthz-bind-address
    healthz-port hostname-override iptables-localhost-nodeports iptables-masquerade-bit iptables-min-sync-period
    iptables-sync-period ipvs-exclude-cidrs ipvs-min-sync-period ipvs-scheduler ipvs-strict-arp ipvs-sync-period
    ipvs-tcp-timeout ipvs-tcpfin-timeout ipvs-udp-timeout kube-api-burst kube-api-content-type kube-api-qps
    log-flush-frequency log-json-info-buffer-size log-json-split-stream log-text-info-buffer-size
    log-text-split-stream logging-format machine-id-file masquerade-all metrics-bind-address metrics-port
    nodeport-addresses oom-score-adj pod-bridge-interface pod-interface-name-prefix profiling proxy-mode
    show-hidden-metrics-for-version v vmodule`
  assert.deepEqual(proxyFlags.map(({ name }) => name).sort(), real.split(/\s+/).sort())
})

test('a flag has a place in --help, or a reason why it has no effect', () => {
  const effects = new Map([...eachField(kubeProxyFields)].map(([path, { effect }]) => [path, effect]))
  for (const { name, path, group, help, unused } of proxyFlags as readonly ProxyFlag[]) {
    const effect = path === undefined ? undefined : effects.get(path)
    if (group !== undefined) assert.notEqual(help, undefined, name)
    else assert.ok(unused !== undefined || (effect !== undefined && 'unused' in effect), name)
  }
})

test('a page without a place for a table is refused', () => {
  assert.throws(() => renderPage('# Configuration'), /no place for the table/)
})
