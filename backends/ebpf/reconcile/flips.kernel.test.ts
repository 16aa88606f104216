import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { waitForPrograms } from '@kpng/ebpf'
import { failOnLeakedFds } from '@kpng/ebpf/testing'
import { Reconciler } from './reconciler.ts'
import { type Asked, endpointsOf, type Seen, Shared, type WatchOrder } from './testing/flips.ts'
import { KernelDatapath } from './testing/kernel-datapath.ts'
import { node, type ServiceSpec, service } from './testing/views.ts'
import { pseudoRandom } from './testing/world.ts'

failOnLeakedFds()

/** `make proof` flips lists 100,000 times, here it is a part of them. Each epoch flips four. */
const epochs = process.env.KPNG_PROOF === '1' ? 25_000 : 750
const watchers = 2

const NODE = '192.168.1.1'
const NODE6 = 'fd02::1'
const PORTS = [80, 81] as const
const flipping = (epoch: number): ServiceSpec => ({
  name: 'flipping',
  clusterIPs: ['10.96.0.1', 'fd00::1'],
  externalIPs: ['192.0.2.1', '2001:db8::1'],
  ports: PORTS.map(port => ({
    ...{ name: `p${port}`, port, nodePort: 30_000 + port, endpoints: endpointsOf(epoch) },
  })),
})
/** Both ports at all addresses of both families; a list of its own for each port and family. */
const frontends: readonly Asked[] = PORTS.flatMap(port =>
  [
    ['10.96.0.1', '192.0.2.1', NODE],
    ['fd00::1', '2001:db8::1', NODE6],
  ].flatMap((addresses, family) =>
    addresses.map((address, n) => ({ address, port: n < 2 ? port : 30_000 + port, list: 2 * port + family })),
  ),
)

/** Others in the same maps, of all sizes, some with the same ports. */
const other = (number: number, random: () => number): ServiceSpec => ({
  name: `other-${number}`,
  clusterIPs: [`10.97.0.${number}`, `fd00::97:${number}`],
  ports: [80, 81, 82].map(port => ({
    ...{ name: `p${port}`, port },
    endpoints: Array.from({ length: Math.floor(random() * 12) }, (_, n) => `10.2.${number}.${n + 1}:80`),
  })),
})

describe('lists that flip all the time, while programs run', () => {
  it('[KP-6.4 KPNG-C10 DP-9.21] every pick is from the old list or the new one, at all frontends', {
    timeout: 1_800_000,
  }, async t => {
    const seed = Number(process.env.KPNG_SEED ?? Math.floor(Math.random() * 2 ** 31))
    const random = pseudoRandom(seed)
    const sizes = { frontends: 2048, lists: 2048, slots: 8192, addresses: 512, names: 1024, sources: 8 }
    using datapath = new KernelDatapath(sizes)
    const reconciler = new Reconciler({
      maps: datapath.maps,
      limits: { maxBackendId: 2 ** 17, maxServicePortId: 1000 },
      hooks: {
        grace: waitForPrograms,
        destroyStale: async () => ({ destroyed: 0, failed: 0 }),
        idsInUse: async () => ({ backends: new Set(), servicePorts: new Set() }),
      },
    })
    const shared = new Int32Array(new SharedArrayBuffer(4 * Shared.LENGTH))
    const toEpoch = async (epoch: number): Promise<void> => {
      reconciler.setService(service(flipping(epoch)))
      Atomics.store(shared, Shared.started, epoch)
      reconciler.sync()
      await reconciler.written()
      Atomics.store(shared, Shared.finished, epoch)
    }
    reconciler.setNode(node([NODE, NODE6], ['10.96.0.0/15']))
    await toEpoch(1)
    const order: WatchOrder = { programId: datapath.program.id, frontends, shared }
    const workers = Array.from(
      { length: watchers },
      () => new Worker(new URL('./testing/flips-worker.ts', import.meta.url), { workerData: order }),
    )
    const results = Promise.all(workers.map(async worker => ((await once(worker, 'message')) as [Seen])[0]))
    let otherChanges = 0
    try {
      const before = reconciler.status().counters.flips
      for (let epoch = 2; epoch <= epochs + 1; epoch++) {
        const number = 1 + Math.floor(random() * 60)
        if (random() < 0.5) reconciler.setService(service(other(number, random)))
        else reconciler.deleteService('default', `other-${number}`)
        otherChanges++
        await toEpoch(epoch)
        if (epoch % 500 === 0) reconciler.releaseIds()
        // Without a turn of the event loop now and then no grace period ends.
        if (epoch % 10 === 0) await new Promise(resolve => setImmediate(resolve))
      }
      const { counters, problems } = reconciler.status()
      assert.deepEqual(problems, [])
      Atomics.store(shared, Shared.stop, 1)
      const seen = await results
      const flips = counters.flips - before
      const sum = (of: (one: Seen) => number): number => seen.reduce((total, one) => total + of(one), 0)
      t.diagnostic(
        JSON.stringify({
          ...{ seed, flips, ofTheService: 4 * epochs, otherChanges, graces: counters.graces },
          ...{ moves: counters.moves, picks: sum(({ picks }) => picks), empty: sum(({ empty }) => empty) },
          picksOfTheOldList: sum(({ old }) => old),
        }),
      )
      assert.deepEqual(
        seen.flatMap(({ wrong }) => wrong),
        [],
      )
      assert.ok(flips >= 4 * epochs, `${flips} flips`)
      for (const { picks } of seen) assert.ok(picks > epochs / 10, `${picks} picks`)
    } finally {
      Atomics.store(shared, Shared.stop, 1)
      await Promise.allSettled(workers.map(worker => worker.terminate()))
      reconciler.close()
      await waitForPrograms()
    }
  })
})
