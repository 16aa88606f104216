import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'

const attempts = `
import socket, sys
for address, port, kind in [("10.96.0.1", 80, socket.SOCK_STREAM)] * 5 + [("10.96.0.2", 80, socket.SOCK_STREAM)] * 3 \\
    + [("10.96.0.1", 81, socket.SOCK_STREAM)] * 2 + [("10.96.9.9", 80, socket.SOCK_STREAM)] + [("10.180.0.1", 8080, socket.SOCK_STREAM)] * 9:
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(1)
        try: s.connect((address, port))
        except OSError: pass
`

test('metrics: every decision is counted once, by reason; connections that are not to Services are not', async () => {
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
  const values = new Map(
    text
      .split('\n')
      .filter(line => line.startsWith('kpng_'))
      .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
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
  assert.equal(values.get('kpng_services'), 2)
  assert.equal(values.get('kpng_used{resource="service_port_ids"}'), 2)
  assert.match(text, /^process_resident_memory_bytes \d+/m)
})
