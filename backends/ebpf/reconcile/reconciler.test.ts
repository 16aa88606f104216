import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dumpMaps } from './dump.ts'
import { Reconciler } from './reconciler.ts'
import { FakeKernel } from './testing/fake-kernel.ts'
import { fakeMaps } from './testing/fake-maps.ts'
import { TestClock } from './testing/test-clock.ts'
import { node, service } from './testing/views.ts'

const LIMITS = { maxBackendId: 100, maxServicePortId: 50 }

describe('Reconciler', () => {
  it('writes a service', async () => {
    const maps = fakeMaps()
    const clock = new TestClock()
    const reconciler = new Reconciler({ maps, limits: LIMITS, hooks: new FakeKernel(), clock })
    reconciler.setNode(node(['192.168.1.1'], ['10.96.0.0/16']))
    reconciler.setService(
      service({
        name: 'kube-system/kube-dns',
        clusterIPs: ['10.96.0.10'],
        ports: [
          {
            name: 'dns',
            protocol: 'UDP',
            port: 53,
            nodePort: 30053,
            endpoints: ['10.1.0.1:53', '10.1.0.2:53 local'],
          },
          { name: 'dns-tcp', protocol: 'TCP', port: 53 },
        ],
      }),
    )
    reconciler.sync()
    await clock.until(reconciler.settled())
    assert.deepEqual(dumpMaps(maps), [
      'addr4 10.96.0.10 -> cluster-ip',
      'addr4 192.168.1.1 -> node',
      'cidr4 10.96.0.0/16',
      'list 1 -> base 0 count 2: #1 10.1.0.1:53, #2 10.1.0.2:53',
      'list 2 -> empty: NO_ENDPOINTS',
      'service 1 -> kube-system/kube-dns:dns/UDP',
      'service 2 -> kube-system/kube-dns:dns-tcp/TCP',
      'svc4 10.96.0.10:53/TCP -> list 2 service kube-system/kube-dns:dns-tcp affinity 0',
      'svc4 10.96.0.10:53/UDP -> list 1 service kube-system/kube-dns:dns affinity 0',
      'svc4 *4:30053/UDP -> list 1 service kube-system/kube-dns:dns affinity 0',
    ])
    reconciler.close()
  })
})
