import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatPath, ownText } from './fields.ts'
import { readObject } from './read.ts'
import type { EndpointSlice, KubeObject, Node, Service, ServiceCIDR } from './types.ts'

/** The object, and each complaint as `field: message`. */
function read(value: unknown): { object: KubeObject | undefined; problems: string[] } {
  const problems: string[] = []
  const result = readObject(value, {
    report: (path, message) => problems.push(`${formatPath(path)}: ${message}`),
    own: ownText,
  })
  return { object: result.outcome === 'object' ? result.object : undefined, problems }
}

function service(spec: unknown, more: object = {}): { object: Service; problems: string[] } {
  const { object, problems } = read({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec,
    ...more,
  })
  assert.equal(object?.kind, 'Service')
  return { object, problems }
}

function slice(fields: object, labels: unknown = { 'kubernetes.io/service-name': 'web' }) {
  const { object, problems } = read({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels },
    addressType: 'IPv4',
    ...fields,
  })
  assert.equal(object?.kind, 'EndpointSlice')
  return { object: object as EndpointSlice, problems }
}

describe('identity', () => {
  const cases: [string, unknown, string][] = [
    [
      'no metadata',
      { apiVersion: 'v1', kind: 'Service' },
      'metadata: has no metadata: the object is ignored',
    ],
    [
      'no name',
      { apiVersion: 'v1', kind: 'Service', metadata: {} },
      'metadata.name: is missing: the object is ignored',
    ],
    [
      'a number for a name',
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 12 } },
      'metadata.name: must be a string, is 12: ignored',
    ],
    [
      'a name with a slash',
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a/b' } },
      'metadata.name: is not a name: the object is ignored',
    ],
    [
      'a bad namespace',
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'x y' } },
      'metadata.namespace: is not a name: the object is ignored',
    ],
    ['no object at all', 7, ': is not an object, but 7: ignored'],
    ['no kind', { apiVersion: 'v1' }, 'kind: is missing: this is no Kubernetes object'],
  ]
  for (const [title, value, problem] of cases) {
    it(`${title}: ignored and reported`, () => {
      assert.deepEqual(read(value), { object: undefined, problems: [problem] })
    })
  }

  it('the UID is kept of a Service, for Events; objects out of files have none', () => {
    const uidOf = (metadata: object) => {
      const { object } = read({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', ...metadata } })
      return object?.kind === 'Service' ? object.uid : 'no Service'
    }
    assert.equal(uidOf({ uid: 'f00d' }), 'f00d')
    assert.equal(uidOf({}), undefined)
  })

  it('without a namespace it is in default, as with kubectl apply', () => {
    const { object } = read({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a' },
      spec: { clusterIP: 'None' },
    })
    assert.equal((object as Service).namespace, 'default')
  })

  it('another kind, or a Service of another API group, is no concern of ours', () => {
    const context = { report: () => assert.fail(), own: ownText }
    for (const apiVersion of ['serving.knative.dev/v1', '']) {
      const result = readObject({ apiVersion, kind: 'Service', metadata: { name: 'a' } }, context)
      assert.deepEqual(result, { outcome: 'unknown-kind', type: { apiVersion, kind: 'Service' } })
    }
  })
})

describe('Service', () => {
  it('[KP-1.11 KP-1.14] keeps what the proxy uses, canonical', () => {
    const { object, problems } = service(
      {
        type: 'LoadBalancer',
        clusterIP: '010.96.0.9',
        clusterIPs: ['010.96.0.9', 'FD00:10:96::9'],
        ipFamilies: ['IPv4', 'IPv6'],
        externalIPs: ['192.0.2.2', '192.0.2.1', '192.0.2.001'],
        loadBalancerSourceRanges: [' 203.0.113.7/24 ', 'fd00::/8'],
        ports: [
          { name: 'http', port: 80, nodePort: 30080, targetPort: 'x' },
          { name: 'http', port: 80, protocol: 'UDP' },
        ],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
        internalTrafficPolicy: 'Local',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 32000,
      },
      { status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }, { hostname: 'x' }] } } },
    )
    assert.deepEqual(problems, [])
    assert.deepEqual(object, {
      kind: 'Service',
      namespace: 'shop',
      name: 'web',
      type: 'LoadBalancer',
      headless: false,
      foreignProxy: false,
      clusterIPs: { IPv4: '10.96.0.9', IPv6: 'fd00:10:96::9' },
      externalIPs: ['192.0.2.1', '192.0.2.2'],
      loadBalancerIPs: ['203.0.113.10'],
      sourceRanges: ['203.0.113.0/24', 'fd00::/8'],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 },
        { name: 'http', protocol: 'UDP', port: 80, nodePort: 0 },
      ],
      affinityTimeoutSeconds: 600,
      internalLocal: true,
      externalLocal: true,
      healthCheckNodePort: 32_000,
    })
  })

  const families: [string, object, Service['clusterIPs']][] = [
    [
      'ipFamilies empty: the family of clusterIP',
      { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] },
      { IPv4: '10.96.0.1' },
    ],
    ['ipFamilies empty, IPv6', { clusterIP: 'fd00::1' }, { IPv6: 'fd00::1' }],
    [
      'clusterIPs[i] for ipFamilies[i]',
      { clusterIP: 'fd00::1', clusterIPs: ['fd00::1', '10.96.0.1'], ipFamilies: ['IPv6', 'IPv4'] },
      { IPv4: '10.96.0.1', IPv6: 'fd00::1' },
    ],
    [
      'a family without its address',
      { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv4', 'IPv6'] },
      { IPv4: '10.96.0.1' },
    ],
    [
      'ipFamilies without clusterIPs',
      { clusterIP: '10.96.0.1', ipFamilies: ['IPv4'] },
      { IPv4: '10.96.0.1' },
    ],
    ['None: headless', { clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'] }, {}],
    ['ExternalName, even with a clusterIP', { type: 'ExternalName', clusterIP: '10.96.0.1' }, {}],
    ['an IPv4-mapped clusterIP is IPv4', { clusterIP: '::ffff:10.96.0.1' }, { IPv4: '10.96.0.1' }],
  ]
  for (const [title, spec, expected] of families) {
    it(`[KP-1.5 KP-1.6] addresses by family: ${title}`, () =>
      assert.deepEqual(service(spec).object.clusterIPs, expected))
  }

  const fields: [string, object, string, keyof Service, unknown][] = [
    [
      'a bad clusterIP',
      { clusterIP: '10.96.0.999' },
      'spec.clusterIP: is not an IP address: "10.96.0.999": ignored',
      'clusterIPs',
      {},
    ],
    [
      'no clusterIP',
      {},
      'spec.clusterIP: is missing: the Service has no address and is not served',
      'clusterIPs',
      {},
    ],
    [
      'an unspecified clusterIP',
      { clusterIP: '0.0.0.0' },
      'spec.clusterIP: is no address for this (unspecified): "0.0.0.0": ignored',
      'clusterIPs',
      {},
    ],
    [
      'a clusterIP of the wrong family',
      { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]: is not IPv6, as ipFamilies[0] says: "10.96.0.1": ignored',
      'clusterIPs',
      {},
    ],
    [
      '[KP-1.10] an externalIP that is none',
      { clusterIP: '10.96.0.1', externalIPs: ['192.0.2.1', 'x', '2001:db8::1'] },
      'spec.externalIPs[1]: is not an IP address: "x": ignored',
      'externalIPs',
      ['192.0.2.1', '2001:db8::1'],
    ],
    [
      'a loopback externalIP',
      { clusterIP: '10.96.0.1', externalIPs: ['127.0.0.1', '192.0.2.1'] },
      'spec.externalIPs[0]: is no address for this (loopback): "127.0.0.1": ignored',
      'externalIPs',
      ['192.0.2.1'],
    ],
    [
      '[KP-1.11] a bad source range',
      { clusterIP: '10.96.0.1', loadBalancerSourceRanges: ['10.0.0.0/8', '10.0.0.1'] },
      'spec.loadBalancerSourceRanges[1]: is not a CIDR: "10.0.0.1": ignored',
      'sourceRanges',
      ['10.0.0.0/8'],
    ],
    [
      'a bad nodePort',
      { clusterIP: '10.96.0.1', ports: [{ port: 80, nodePort: 99999 }] },
      'spec.ports[0].nodePort: must be a whole number from 0 to 65535, is 99999: ignored',
      'ports',
      [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
    ],
    [
      'a bad port',
      { clusterIP: '10.96.0.1', ports: [{ port: '80' }, { port: 81 }] },
      'spec.ports[0].port: must be a whole number from 1 to 65535, is "80": ignored',
      'ports',
      [{ name: '', protocol: 'TCP', port: 81, nodePort: 0 }],
    ],
    [
      'an unknown protocol',
      { clusterIP: '10.96.0.1', ports: [{ port: 80, protocol: 'DCCP' }] },
      'spec.ports[0].protocol: must be TCP or UDP or SCTP, is "DCCP": ignored',
      'ports',
      [],
    ],
    [
      '[KP-1.15] two ports of one name and protocol',
      { clusterIP: '10.96.0.1', ports: [{ port: 80 }, { port: 81 }] },
      'spec.ports[1]: a second port "" with protocol TCP: the last one is used',
      'ports',
      [{ name: '', protocol: 'TCP', port: 81, nodePort: 0 }],
    ],
    [
      'an affinity timeout of 0',
      {
        clusterIP: '10.96.0.1',
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } },
      },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: must be a whole number from 1 to 86400, is 0: ignored',
      'affinityTimeoutSeconds',
      10800,
    ],
    [
      'an unknown traffic policy',
      { clusterIP: '10.96.0.1', internalTrafficPolicy: 'local' },
      'spec.internalTrafficPolicy: must be Cluster or Local, is "local": ignored',
      'internalLocal',
      false,
    ],
  ]
  for (const [title, spec, problem, field, expected] of fields) {
    it(`${title} disables that field only`, () => {
      const { object, problems } = service(spec)
      assert.deepEqual(problems, [problem])
      assert.deepEqual(object[field], expected)
    })
  }

  it('[KP-4.3.2] the affinity timeout is 10800 s when none is given', () => {
    assert.equal(
      service({ clusterIP: '10.96.0.1', sessionAffinity: 'ClientIP' }).object.affinityTimeoutSeconds,
      10800,
    )
    assert.equal(
      service({ clusterIP: '10.96.0.1', sessionAffinity: 'None' }).object.affinityTimeoutSeconds,
      0,
    )
  })

  const external: [string, object, boolean][] = [
    ['LoadBalancer', { type: 'LoadBalancer' }, true],
    ['NodePort', { type: 'NodePort' }, true],
    ['ClusterIP', { type: 'ClusterIP' }, false],
    ['ClusterIP with externalIPs', { type: 'ClusterIP', externalIPs: ['192.0.2.1'] }, true],
    ['no type with externalIPs', { externalIPs: ['192.0.2.1'] }, true],
  ]
  for (const [title, spec, expected] of external) {
    it(`[KP-1.12] externalTrafficPolicy Local counts for ${title}: ${expected}`, () => {
      const { object } = service({ clusterIP: '10.96.0.1', externalTrafficPolicy: 'Local', ...spec })
      assert.equal(object.externalLocal, expected)
    })
  }

  it('[KP-1.12] internalTrafficPolicy Local always counts', () => {
    for (const type of ['ClusterIP', 'NodePort', 'LoadBalancer']) {
      const { object } = service({ type, clusterIP: '10.96.0.1', internalTrafficPolicy: 'Local' })
      assert.deepEqual([object.internalLocal, object.externalLocal], [true, false])
    }
  })

  const missing = 'spec.healthCheckNodePort: is missing: load balancers cannot ask this node for its health'
  const health: [string, object, number, string[]][] = [
    ['LoadBalancer, Local', { healthCheckNodePort: 32_000 }, 32_000, []],
    ['policy Cluster', { healthCheckNodePort: 32_000, externalTrafficPolicy: 'Cluster' }, 0, []],
    ['type NodePort', { healthCheckNodePort: 32_000, type: 'NodePort' }, 0, []],
    ['0', { healthCheckNodePort: 0 }, 0, [missing]],
    ['none', {}, 0, [missing]],
    [
      'a bad one',
      { healthCheckNodePort: 70_000 },
      0,
      ['spec.healthCheckNodePort: must be a whole number from 0 to 65535, is 70000: ignored'],
    ],
  ]
  for (const [title, spec, expected, complaints] of health) {
    it(`[KP-1.13] healthCheckNodePort: ${title}`, () => {
      const { object, problems } = service({
        type: 'LoadBalancer',
        clusterIP: '10.96.0.1',
        externalTrafficPolicy: 'Local',
        ...spec,
      })
      assert.deepEqual([object.healthCheckNodePort, problems], [expected, complaints])
    })
  }

  it('[KP-1.8 KP-3.6 KP-14.13] fields that a proxy does not look at make no difference', () => {
    const spec = { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ port: 80, nodePort: 30_080 }] }
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } }
    const plain = service(spec, { status })
    const full = service(
      {
        ...spec,
        ports: [{ port: 80, nodePort: 30_080, targetPort: 'web', appProtocol: 'http' }],
        selector: { app: 'web' },
        trafficDistribution: 'PreferSameZone',
        loadBalancerClass: 'example.com/lb',
        loadBalancerIP: '203.0.113.9',
        allocateLoadBalancerNodePorts: false,
        publishNotReadyAddresses: true,
      },
      {
        metadata: {
          name: 'web',
          namespace: 'shop',
          annotations: {
            'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8',
            'service.kubernetes.io/topology-mode': 'Auto',
          },
        },
        status: {
          loadBalancer: { ingress: [{ ip: '203.0.113.1', ports: [{ port: 443, protocol: 'TCP' }] }] },
        },
      },
    )
    assert.deepEqual(full, plain)
  })

  it('[KP-1.9] load balancer addresses: ipMode Proxy and hostnames are ignored', () => {
    const ingress = [
      { ip: '203.0.113.1' },
      { ip: '203.0.113.2', ipMode: 'VIP' },
      { ip: '203.0.113.3', ipMode: 'Proxy' },
      { ip: '203.0.113.4', ipMode: 'Other' },
      { hostname: 'lb.example.com' },
      { ip: '203.0.113.5', ipMode: null },
    ]
    const { object, problems } = service(
      { clusterIP: '10.96.0.1' },
      { status: { loadBalancer: { ingress } } },
    )
    assert.deepEqual(object.loadBalancerIPs, ['203.0.113.1', '203.0.113.2', '203.0.113.5'])
    assert.deepEqual(problems, [])
  })

  it('[KP-1.1] any value of the service-proxy-name label gives it away', () => {
    const metadata = { name: 'web', labels: { 'service.kubernetes.io/service-proxy-name': '' } }
    assert.equal(service({ clusterIP: '10.96.0.1' }, { metadata }).object.foreignProxy, true)
  })
})

describe('EndpointSlice', () => {
  const conditions: [string, unknown, readonly [boolean, boolean, boolean]][] = [
    ['absent', undefined, [true, true, false]],
    ['null', null, [true, true, false]],
    ['all null', { ready: null, serving: null, terminating: null }, [true, true, false]],
    ['not ready', { ready: false }, [false, true, false]],
    ['taken literally: ready and not serving', { ready: true, serving: false }, [true, false, false]],
    ['terminating', { ready: false, serving: true, terminating: true }, [false, true, true]],
  ]
  for (const [title, value, [ready, serving, terminating]] of conditions) {
    it(`[KP-2.6 KP-14.5] conditions ${title}`, () => {
      const { object } = slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: value }] })
      assert.deepEqual(object.endpoints, [{ address: '10.0.0.1', ready, serving, terminating }])
    })
  }

  it('[KP-2.5 KP-2.9] keeps what the proxy uses of an endpoint', () => {
    const { object, problems } = slice({
      endpoints: [
        {
          addresses: ['010.0.0.1', '10.0.0.2'],
          nodeName: 'n1',
          zone: 'z1',
          targetRef: { kind: 'Pod', name: 'web-xyz' },
          hints: { forZones: [{ name: 'z1' }], forNodes: [] },
          hostname: 'x',
        },
      ],
    })
    assert.deepEqual(problems, [])
    assert.deepEqual(object.endpoints, [
      {
        address: '10.0.0.1',
        nodeName: 'n1',
        zone: 'z1',
        pod: 'web-xyz',
        ready: true,
        serving: true,
        terminating: false,
        zoneHints: ['z1'],
      },
    ])
  })

  it('[KP-2.4] a port without name, without number or with number 0 is ignored, the name "" is one', () => {
    const { object, problems } = slice({
      ports: [
        { port: 1 },
        { name: 'a' },
        { name: 'b', port: 0 },
        { name: '', port: 80 },
        { name: 'c', port: null },
      ],
    })
    assert.deepEqual(object.ports, [{ name: '', protocol: 'TCP', port: 80 }])
    assert.deepEqual(problems, [
      'ports[0].name: is missing (it may be ""): the port is ignored',
      'ports[1].port: is missing: the port is ignored',
      'ports[4].port: is missing: the port is ignored',
    ])
  })

  it('bad IPv6 addresses are left out too', () => {
    const addresses = ['::1', 'fe80::1', 'ff02::1', '::', '10.0.0.1', '::ffff:10.0.0.1', 'fd00::1']
    const { object, problems } = slice({
      addressType: 'IPv6',
      endpoints: addresses.map(it => ({ addresses: [it] })),
    })
    assert.deepEqual(
      object.endpoints.map(it => it.address),
      ['fd00::1'],
    )
    assert.equal(problems.length, 1)
  })

  it('bad addresses are left out with one complaint a slice', () => {
    const addresses = [
      '127.0.0.1',
      '169.254.1.1',
      '224.0.0.1',
      '0.0.0.0',
      'fd00::1',
      'x',
      '10.0.0.1',
      '::ffff:10.0.0.2',
    ]
    const { object, problems } = slice({ endpoints: addresses.map(it => ({ addresses: [it] })) })
    assert.deepEqual(
      object.endpoints.map(it => it.address),
      ['10.0.0.1', '10.0.0.2'],
    )
    assert.deepEqual(problems, [
      'endpoints[0].addresses[0]: is no address for this (loopback): "127.0.0.1": the endpoint is ignored (and 5 more of this slice)',
    ])
  })

  it('[KP-2.5] an endpoint without address is ignored', () => {
    const { object, problems } = slice({ endpoints: [{ addresses: [] }, {}, { addresses: null }] })
    assert.deepEqual([object.endpoints, problems], [[], []])
  })

  it('[KP-2.2] missing or empty service-name label is reported, a headless one is no concern', () => {
    const problem = 'metadata.labels["kubernetes.io/service-name"]: is missing: no Service uses the slice'
    assert.deepEqual(slice({}, null).problems, [problem])
    assert.deepEqual(slice({}, { 'kubernetes.io/service-name': '' }).problems, [problem])
    const headless = slice({}, { 'service.kubernetes.io/headless': '' })
    assert.deepEqual([headless.problems, headless.object.headless], [[], true])
  })

  it('[KP-2.1] FQDN is ignored silently, a missing or unknown addressType with a word', () => {
    const metadata = { name: 'a', labels: { 'kubernetes.io/service-name': 'a' } }
    const type = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata }
    assert.deepEqual(read({ ...type, addressType: 'FQDN' }), { object: undefined, problems: [] })
    assert.deepEqual(read(type).problems, ['addressType: is missing: the slice is ignored'])
    assert.deepEqual(read({ ...type, addressType: 'ipv4' }).problems, [
      'addressType: must be IPv4 or IPv6 or FQDN, is "ipv4": ignored',
    ])
  })
})

describe('Node and ServiceCIDR', () => {
  it('[KP-5.9] a Node keeps its addresses (InternalIPs first), zone and lab annotations', () => {
    const { object, problems } = read({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: 'n1',
        labels: { 'topology.kubernetes.io/zone': 'a' },
        annotations: { 'lab.kpng.io/addresses': '192.168.1.2/24', 'other.io/x': 'y' },
      },
      spec: { podCIDRs: ['10.244.1.0/24', 'FD00:244:1::/64'] },
      status: {
        addresses: [
          { type: 'ExternalIP', address: '203.0.113.1' },
          { type: 'InternalIP', address: '172.30.0.041' },
          { type: 'Hostname', address: 'n1' },
          { type: 'InternalIP', address: 'bad' },
          { type: 'InternalIP', address: 'FD00::1' },
        ],
      },
    })
    assert.deepEqual(object, {
      kind: 'Node',
      name: 'n1',
      addresses: ['172.30.0.41', 'fd00::1', '203.0.113.1'],
      internalIPs: ['172.30.0.41', 'fd00::1'],
      zone: 'a',
      podCIDRs: ['10.244.1.0/24', 'fd00:244:1::/64'],
      goingAway: false,
      annotations: { 'lab.kpng.io/addresses': '192.168.1.2/24' },
    } satisfies Node)
    assert.deepEqual(problems, ['status.addresses[3].address: is not an IP address: "bad": ignored'])
  })

  const taint = (key: string) => ({ spec: { taints: [{ key, effect: 'NoSchedule', value: '1' }] } })
  const leaving: [string, object, boolean][] = [
    ['another taint', taint('node.kubernetes.io/unschedulable'), false],
    ['the taint of the cluster autoscaler', taint('ToBeDeletedByClusterAutoscaler'), true],
    [
      'that taint without value, with another effect',
      { spec: { taints: [{ key: 'a' }, { key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoExecute' }] } },
      true,
    ],
    [
      'a deletionTimestamp',
      { metadata: { name: 'n1', deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['a/b'] } },
      true,
    ],
  ]
  for (const [title, fields, expected] of leaving) {
    it(`[KP-8.1.6] a Node with ${title} is ${expected ? '' : 'not '}going away`, () => {
      const { object } = read({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, ...fields })
      assert.equal((object as Node).goingAway, expected)
    })
  }

  it('[KP-1.4] a ServiceCIDR keeps its CIDRs', () => {
    const { object } = read({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: ['10.96.0.0/16', 'FD00:10:96::/112'] },
    })
    assert.deepEqual(object, {
      kind: 'ServiceCIDR',
      name: 'kubernetes',
      cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
    } satisfies ServiceCIDR)
  })
})

describe('anything at all', () => {
  const field = fc.constantFrom(
    ...[
      'spec',
      'status',
      'metadata',
      'name',
      'namespace',
      'labels',
      'clusterIP',
      'clusterIPs',
      'ipFamilies',
      'ports',
      'port',
    ],
    ...[
      'protocol',
      'endpoints',
      'addresses',
      'conditions',
      'ready',
      'hints',
      'forZones',
      'addressType',
      'cidrs',
      '__proto__',
    ],
    ...[
      'loadBalancer',
      'ingress',
      'ip',
      'externalIPs',
      'loadBalancerSourceRanges',
      'targetRef',
      'address',
      'type',
    ],
  )
  const leaf = fc.oneof(
    fc.constantFrom('10.0.0.1', 'fd00::1', 'IPv4', 'IPv6', 'a', '', 'InternalIP', '10.0.0.0/8', 'TCP'),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.double(),
  )
  const { any } = fc.letrec(tie => ({
    any: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      leaf,
      fc.dictionary(field, tie('any')),
      fc.array(tie('any'), { maxLength: 3 }),
    ),
  }))
  const type = fc.constantFrom(
    { apiVersion: 'v1', kind: 'Service' },
    { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
    { apiVersion: 'v1', kind: 'Node' },
    { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
  )

  it('[KPNG-C15] never throws, and each complaint names a path into the object', () => {
    fc.assert(
      fc.property(any, type, (value, meta) => {
        readObject(
          value,
          {
            report: path => assert.ok(path.every(step => typeof step === 'string' || step >= 0)),
            own: ownText,
          },
          meta,
        )
      }),
      { numRuns: 500 },
    )
  })
})
