import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Churn } from './churn.ts'
import type { Datapath } from './datapath.ts'
import type { FakeSizes } from './fake-maps.ts'
import { node, service } from './views.ts'
import { pseudoRandom, World } from './world.ts'

export interface SoakOptions {
  /** Changes of objects. */
  readonly changes: number
  readonly sizes: FakeSizes
  /** Largest backend and service port id. */
  readonly ids: number
  /** Part of map and kernel operations that fail. */
  readonly faults: number
  /** Default: in memory. */
  readonly datapath?: Datapath
}

/** Room for all that `Churn` can come to. */
export const WIDE: FakeSizes = {
  frontends: 200,
  lists: 200,
  slots: 512,
  addresses: 64,
  names: 100,
  sources: 200,
}
/** Room for about half of it. */
export const TIGHT: FakeSizes = { frontends: 9, lists: 8, slots: 16, addresses: 6, names: 6, sources: 6 }

/** What happens beside the changes, and how many changes lie between two of them on average. */
const BESIDE: readonly (readonly [everyChanges: number, run: (world: World) => void | Promise<void>])[] = [
  [3, world => world.connect()],
  [3, world => world.connect()],
  [4, world => world.sync()],
  [6, world => world.disconnect()],
  [8, world => world.turns(4)],
  [10, settle],
  [20, world => world.releaseIds()],
  [40, world => world.clock.pass(5_000)],
  [100, world => world.clock.pass(40_000)],
  [100, world => world.restart({ newMaps: false })],
  [400, world => world.restart({ newMaps: true })],
  [400, world => vandalise(world, false)],
  [400, world => vandalise(world, true)],
]

async function settle(world: World): Promise<void> {
  world.sync()
  await world.settle()
  world.checkSettled()
}

async function vandalise(world: World, restart: boolean): Promise<void> {
  world.sync()
  await world.settle()
  for (let times = 0; times < 3; times++) world.corrupt()
  if (restart) await world.restart({ newMaps: false })
  await world.repair()
  world.checkSettled()
}

/**
 * So many changes of the cluster, one by one, with connections, agents that are killed and vandalism in between:
 * whenever all is quiet the maps are the oracle's, and at each operation lists are whole and ids mean one thing. Ends
 * with an empty cluster, of which nothing may be left. KPNG_MODEL_SEED repeats a run.
 */
export async function soak(t: TestContext, options: SoakOptions): Promise<World['counts']> {
  const { changes, sizes, ids, faults, datapath } = options
  const seed = Number(process.env.KPNG_MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31))
  const world = new World({
    ...{ sizes, faults, seed, limits: { maxBackendId: ids, maxServicePortId: ids } },
    ...(datapath === undefined ? {} : { datapath }),
  })
  const random = pseudoRandom(seed ^ 0x5eed)
  const churn = new Churn(random)
  let done = 0
  try {
    world.setNode(node(['192.168.1.1', 'fd02::1'], ['10.96.0.0/16']))
    for (; done < changes; done++) {
      const change = churn.next()
      if (change.service !== undefined) world.set(service(change.service))
      if (change.gone !== undefined) world.delete(change.gone)
      if (change.node !== undefined) world.setNode(node(change.node.addresses, change.node.cidrs))
      for (const [every, run] of BESIDE) if (random() < 1 / every) await run(world)
    }
    await settle(world)
    for (const name of churn.names) world.delete(name)
    await expectNothingLeft(world)
  } catch (error) {
    throw new Error(`after ${done} changes; repeat it with KPNG_MODEL_SEED=${seed}`, { cause: error })
  } finally {
    world.close()
  }
  const { clients, counts } = world
  t.diagnostic(`${[...churn.counts].map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
  t.diagnostic(`${JSON.stringify({ changes, ...counts, ...clients.counts, seed })}`)
  return counts
}

/** When everything has gone, nothing is left: no entry, no range, no id. */
export async function expectNothingLeft(world: World): Promise<void> {
  world.setNode(node([]))
  await settle(world)
  world.clients.forget()
  await world.clock.pass(300_000)
  await world.untilNothingFails()
  assert.deepEqual(world.dump(), [])
  const { counts, problems } = world.status()
  assert.deepEqual(problems, [])
  assert.deepEqual(counts, {
    services: 0,
    unfit: 0,
    failing: 0,
    frontends: 0,
    addresses: 0,
    lists: { used: 0, max: counts.lists.max },
    ranges: {
      IPv4: { used: 0, max: counts.ranges.IPv4.max },
      IPv6: { used: 0, max: counts.ranges.IPv6.max },
    },
    backendIds: { used: 0, limbo: 0, max: counts.backendIds.max },
    servicePortIds: { used: 0, limbo: 0, max: counts.servicePortIds.max },
  })
}
