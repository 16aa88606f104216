import { AddrFlag, CfgFlag, selectTest } from '../backends/ebpf/bindings.gen.ts'
import { ipv4, mapped } from '../backends/ebpf/bpf/testing/address.ts'
import { TestDatapath } from '../backends/ebpf/bpf/testing/datapath.ts'
import { OutsideFilter } from '../backends/ebpf/reconcile/outside-filter.ts'
import { changeOfOneEndpoint } from './list-copy.ts'
import { type Report, ratio } from './report.ts'

/** So many runs in one call: the least of many calls is what it costs when nobody else has the processor. */
const repeat = 20_000

/** Destinations, and how many hash lookups each takes. */
const destinations = [
  { name: 'loopback', address: '127.0.0.1', port: 80, lookups: 0 },
  { name: 'not a Service', address: '10.1.0.1', port: 80, lookups: 0 },
  { name: 'not a Service, IPv6', address: 'fd01::1', port: 80, lookups: 0 },
  { name: 'ClusterIP', address: '10.96.1.7', port: 80, lookups: 1 },
  { name: 'ClusterIP, unknown port', address: '10.96.1.7', port: 81, lookups: 2 },
  { name: 'unallocated ServiceCIDR address', address: '10.96.200.1', port: 80, lookups: 2 },
  { name: 'external address', address: '192.0.2.1', port: 80, lookups: 2 },
  { name: 'node address, no NodePort', address: '192.168.0.1', port: 10_250, lookups: 2 },
] as const

/**
 * The selection core alone, by BPF_PROG_TEST_RUN among 1,000 Services in maps of the default size: nanoseconds for
 * each kind of destination, what a run costs by itself (loopback) taken off.
 */
export async function coreBench(calls: number): Promise<Report> {
  using datapath = new TestDatapath({
    maxEntries: { svc4: 262_144, svc6: 262_144, addr4: 262_208, addr6: 262_208 },
  })
  for (let index = 0; index < 1000; index++) {
    const address = `10.96.${index >> 8}.${index & 255}`
    datapath.setAddress(address, AddrFlag.CLUSTER_IP)
    datapath.service({ vips: [`${address}#80`], backends: ['10.1.0.1#80'], protocols: ['tcp'] })
  }
  datapath.service({ vips: ['192.0.2.1#80'], backends: ['10.1.0.1#80'] })
  datapath.setAddress('192.168.0.1', AddrFlag.NODE)
  const filter = new OutsideFilter(datapath.outside)
  for (const address of ['192.0.2.1', '192.168.0.1']) filter.adopt(address)
  filter.setCidrs([])
  const cidr4 = [{ addr: ipv4('10.96.0.0'), mask: 0xffff0000 }]
  datapath.cfg.update(0, { cidr4Count: 1, cidr6Count: 0, flags: CfgFlag.OUTSIDE, cidr4, cidr6: [] })
  const program = datapath.loadSelectTest().program('select_test')
  const nsOf = (address: string, port: number): number => {
    const data = new Uint8Array(selectTest.size)
    const none = new Uint8Array(16)
    const question = {
      ...{ vip: mapped(address), vipPort: port, proto: 6, random: 1, nowNs: 1n, client: 0n, count: 0 },
      ...{
        backendAddr: none,
        source: none,
        servicePort: 0,
        backend: 0,
        backendPort: 0,
        generation: 0,
        reason: 0,
      },
    }
    selectTest.encode(question, new DataView(data.buffer), 0)
    let least = Number.POSITIVE_INFINITY
    for (let call = 0; call < calls; call++)
      least = Math.min(least, program.testRun({ data, repeat }).durationNs)
    return least
  }
  const floor = nsOf(destinations[0].address, destinations[0].port)
  const results = Object.fromEntries(
    destinations.map(({ name, address, port, lookups }) => [
      name,
      { ns: nsOf(address, port) - floor, lookups },
    ]),
  )
  return {
    name: 'core',
    parameters: { calls, repeat },
    results: { ...results, 'one endpoint of 5,000 changes': await changeOfOneEndpoint(5000) },
    ratios: {
      'not a Service / ClusterIP': ratio(results['not a Service']?.ns ?? 0, results.ClusterIP?.ns ?? 0),
    },
  }
}
