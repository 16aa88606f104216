import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from './agent.ts'
import { KubeHost } from './kube-agent.ts'
import { endpointSlice, node, service } from './manifests.ts'
import { curl } from './neighbour.ts'
import { samplesOf } from './samples.ts'
import { getText } from './unix-http.ts'

const attempts = `
import socket, sys
for address, port, kind in [("10.96.0.1", 80, socket.SOCK_STREAM)] * 5 + [("10.96.0.2", 80, socket.SOCK_STREAM)] * 3 \\
    + [("10.96.0.1", 81, socket.SOCK_STREAM)] * 2 + [("10.96.9.9", 80, socket.SOCK_STREAM)] + [("10.180.0.1", 8080, socket.SOCK_STREAM)] * 9:
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(1)
        try: s.connect((address, port))
        except OSError: pass
`

test('[KPNG-D11 KPNG-C19] metrics: every decision is counted once, by reason; connections that are not to Services are not', async () => {
  await using host = new TestHost()
  host.ip('addr add 10.180.0.1/32 dev lo')
  await host.listen([{ address: '10.180.0.1', port: 8080 }])
  const agent = host.agent()
  agent.write([
    node('node-a', ['192.168.78.1']),
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'c' },
      spec: { cidrs: ['10.96.0.0/16'] },
    },
    service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] }),
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: ['10.180.0.1'] }),
    service({ name: 'empty', clusterIPs: ['10.96.0.2'], ports: [{ port: 80 }] }),
  ])
  await agent.start()
  const run = await host.run(['python3', '-c', attempts])
  assert.equal(run.exitCode, 0, run.stderr)
  const text = await agent.metrics()
  const values = samplesOf(text)
  const reasons = [...values].filter(([name]) => name.startsWith('kpng_datapath_total'))
  assert.deepEqual(Object.fromEntries(reasons), {
    'kpng_datapath_total{reason="NO_ENDPOINTS"}': 3,
    'kpng_datapath_total{reason="UNKNOWN_PORT"}': 2,
    'kpng_datapath_total{reason="UNALLOCATED"}': 1,
  })
  const traffic = ['connections', 'datagrams', 'refused', 'unreachable'].map(what =>
    values.get(`kpng_traffic_total{what="${what}"}`),
  )
  assert.deepEqual(traffic, [5, 0, 3, 0])
  const ofService = (name: string, service: string) =>
    values.get(`kpng_service_${name}_total{namespace="default",service="${service}",port="",protocol="TCP"}`)
  assert.deepEqual([ofService('connections', 'web'), ofService('refused', 'empty')], [5, 3])
  assert.equal(values.get('kpng_services'), 2)
  assert.equal(values.get('kpng_used{resource="service_port_ids"}'), 2)
  assert.match(text, /^process_resident_memory_bytes \d+/m)
})

/** kube-proxy's metrics of which the meaning is the same here. */
const names = [
  'network_programming_duration_seconds',
  'proxy_healthz_total',
  'proxy_livez_total',
  'sync_full_proxy_rules_duration_seconds',
  'sync_partial_proxy_rules_duration_seconds',
  'sync_proxy_rules_duration_seconds',
  'sync_proxy_rules_endpoint_changes_pending',
  'sync_proxy_rules_endpoint_changes_total',
  'sync_proxy_rules_last_queued_timestamp_seconds',
  'sync_proxy_rules_last_timestamp_seconds',
  'sync_proxy_rules_no_local_endpoints_total',
  'sync_proxy_rules_service_changes_pending',
  'sync_proxy_rules_service_changes_total',
]

test('[KP-8.3.1 KP-9.1 KP-9.2 KP-9.3 KP-9.5 KP-9.6 KP-9.7 KP-9.8 KP-9.16 KP-9.18 KP-9.19] the metrics server has kube-proxy’s paths and names', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  const web = (port: number) =>
    service({
      ...{ name: 'web', type: 'NodePort', clusterIPs: ['10.96.0.1', 'fd00:96::1'] },
      ports: [{ port, nodePort: 30080 }],
      spec: { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    })
  const slice = (nodeName: string) =>
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: ['10.1.0.1'], nodeName })
  agent.write([node('node-a', ['192.168.78.1']), web(80), slice('node-b')])
  await agent.start(['--healthz-bind-address=127.0.0.1:10256', '--metrics-bind-address=127.0.0.1:10249'])
  const ask = (path: string, port = 10249) => curl(host, `http://127.0.0.1:${port}${path}`)
  for (const path of ['/healthz', '/livez', '/livez']) await ask(path, 10256)

  const read = async () => (await ask('/metrics')).body
  const text = await read()
  const declared = [...text.matchAll(/^# TYPE kubeproxy_(\w+) /gm)].map(([, name]) => name)
  assert.deepEqual(declared.toSorted(), names)
  const types = (which: string) =>
    new Set(
      [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)]
        .filter(([, , type]) => type === which)
        .map(([, name]) => name),
    )
  assert.ok(types('counter').has('kubeproxy_sync_proxy_rules_service_changes_total'))
  assert.ok(types('gauge').has('kubeproxy_sync_proxy_rules_no_local_endpoints_total'))
  assert.match(
    text,
    /^# HELP kubeproxy_sync_proxy_rules_duration_seconds \[ALPHA\] SyncProxyRules latency in seconds$/m,
  )
  for (const name of ['process_start_time_seconds', 'process_cpu_seconds_total', 'process_open_fds'])
    assert.match(text, new RegExp(`^${name} \\d`, 'm'))

  const value = (values: Map<string, number>, name: string) => values.get(`kubeproxy_${name}`)
  const first = samplesOf(text)
  const sync = 'sync_proxy_rules'
  assert.equal(value(first, 'proxy_healthz_total{code="200"}'), 1)
  assert.equal(value(first, 'proxy_livez_total{code="200"}'), 2)
  assert.equal(value(first, `${sync}_service_changes_total`), 2, 'one Service, two families')
  assert.equal(value(first, `${sync}_endpoint_changes_total`), 1)
  const noLocal = (policy: string, family: string) =>
    `${sync}_no_local_endpoints_total{traffic_policy="${policy}",ip_family="${family}"}`
  assert.equal(value(first, noLocal('internal', 'IPv4')), 1)
  assert.equal(value(first, noLocal('external', 'IPv4')), 1)
  assert.equal(value(first, noLocal('internal', 'IPv6')), 0, 'nobody at all is there')
  assert.equal(value(first, 'sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), 1)
  assert.equal(value(first, 'sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), undefined)

  await agent.apply([node('node-a', ['192.168.78.1']), web(81), slice('node-a')])
  const second = samplesOf(await read())
  assert.equal(value(second, `${sync}_service_changes_total`), 4)
  assert.equal(value(second, `${sync}_endpoint_changes_total`), 2)
  assert.deepEqual(
    [value(second, `${sync}_service_changes_pending`), value(second, `${sync}_endpoint_changes_pending`)],
    [0, 0],
  )
  assert.equal(value(second, noLocal('internal', 'IPv4')), 0)
  const partial = value(second, 'sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv6"}') ?? 0
  assert.ok(partial >= 1)
  assert.equal(value(second, `${sync}_duration_seconds_count{ip_family="IPv6"}`), partial + 1)
  const [queued = 0, synced = 0] = ['queued_', ''].map(which =>
    value(second, `${sync}_last_${which}timestamp_seconds{ip_family="IPv4"}`),
  )
  assert.ok(synced >= queued && synced <= Date.now() / 1_000 && synced > Date.now() / 1_000 - 60)

  // The same at the status socket, but for what time changes.
  const still = (metrics: string) => [...samplesOf(metrics)].filter(([name]) => name.startsWith('kubeproxy_'))
  assert.deepEqual(still(await agent.metrics()), still(await read()))

  assert.equal((await ask('/healthz')).body, 'ok')
  assert.equal((await ask('/proxyMode')).body, 'ebpf')
  const configz = JSON.parse((await ask('/configz')).body) as Record<string, Record<string, unknown>>
  assert.equal(configz['kubeproxy.config.k8s.io']?.metricsBindAddress, '127.0.0.1:10249')
  assert.equal((await ask('/debug/pprof/')).status, 404)
})

test('[KP-9.4 KP-9.17 KP-9.19] what an API server tells is timed from its cause to the datapath, and requests are counted', async () => {
  await using kube = new KubeHost()
  const slice = (endpoint: string, trigger?: string) => {
    const made = endpointSlice({
      service: 'web',
      name: 'web-1',
      ports: [{ port: 8080 }],
      endpoints: [endpoint],
    })
    if (trigger === undefined) return made
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': trigger }
    return { ...made, metadata: { ...(made.metadata as object), annotations } }
  }
  const web = service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] })
  const old = slice('10.1.0.1', '2001-01-01T00:00:00Z')
  await kube.api({ put: [web, old, node('node-a', ['192.168.78.1'])], listen: true })
  kube.startAgent()
  await kube.agent.mapsWhen(lines => lines.includes('10.1.0.1:8080'))
  const read = async () => samplesOf(await getText(`/run/kpng/${kube.host.name}/status.sock`, '/metrics'))
  const name = 'kubeproxy_network_programming_duration_seconds'
  const count = (values: Map<string, number>, family = 'IPv4') =>
    values.get(`${name}_count{ip_family="${family}"}`)
  assert.equal(count(await read()), undefined, 'what is older than the agent is not its delay')

  await sleep(500)
  await kube.api({ put: [slice('10.1.0.2', new Date(Date.now() - 100).toISOString())] })
  await kube.agent.mapsWhen(lines => lines.includes('10.1.0.2:8080'))
  await kube.api({ put: [slice('10.1.0.3')] })
  await kube.agent.mapsWhen(lines => lines.includes('10.1.0.3:8080'))
  const values = await read()
  assert.deepEqual([count(values), count(values, 'IPv6')], [1, undefined])
  const sum = values.get(`${name}_sum{ip_family="IPv4"}`) ?? 0
  assert.ok(sum >= 0.1 && sum < 10, `${sum} s`)
  const requests = [...values].filter(([label]) => label.startsWith('rest_client_requests_total'))
  const ok = requests.find(([label]) => label.includes('code="200",method="GET",host="127.0.0.1:6443"'))
  assert.ok((ok?.[1] ?? 0) >= 4, JSON.stringify(requests))
})
