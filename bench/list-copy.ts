import { Harness } from '../backends/ebpf/reconcile/testing/harness.ts'

/** What is copied for one change: bytes into each map, and operations on all of them. */
export interface ListCopy {
  readonly bytes: Readonly<Record<string, number>>
  readonly operations: number
}

/** One endpoint more in a Service of so many, of each family: what the reconciler writes, counted. */
export async function changeOfOneEndpoint(
  endpoints: number,
): Promise<Readonly<Record<'IPv4' | 'IPv6', ListCopy>>> {
  const copy = async (vip: string, addressOf: (n: number) => string): Promise<ListCopy> => {
    using agent = new Harness({
      sizes: { slots: 32_768 },
      limits: { maxBackendId: 32_768, maxServicePortId: 50 },
    })
    const web = (count: number) => ({
      name: 'web',
      clusterIPs: [vip],
      ports: [{ port: 80, endpoints: Array.from({ length: count }, (_, n) => addressOf(n)) }],
    })
    await agent.apply(web(endpoints - 1))
    agent.forget()
    await agent.apply(web(endpoints))
    await agent.clock.pass(1_000)
    const bytes: Record<string, number> = {}
    const { maps } = agent
    for (const operation of agent.operations) {
      const [name = '', , entries] = operation.split(' ')
      const map = [maps.backend4, maps.backend6, maps.list].find(one => one.name === name)
      if (map === undefined) throw new Error(`an operation that no change of endpoints needs: ${operation}`)
      bytes[name] = (bytes[name] ?? 0) + Number(entries) * map.stride
    }
    return { bytes, operations: agent.operations.length }
  }
  return {
    IPv4: await copy('10.96.0.1', n => `10.1.${n >> 8}.${n & 255}:80`),
    IPv6: await copy('fd00::1', n => `[fd01::${n.toString(16)}]:80`),
  }
}
