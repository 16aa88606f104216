import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { FakeSizes } from './testing/fake-maps.ts'
import { expectNothingLeft, TIGHT, WIDE } from './testing/soak.ts'
import { node, type ServiceSpec, service } from './testing/views.ts'
import { World } from './testing/world.ts'

/** Few names, few addresses, few ports: so that everything clashes with everything. */
const NAMES = ['a/one', 'a/two', 'b/one', 'b/three', 'c/four']
const VIPS = ['10.96.0.1', '10.96.0.2', '10.96.0.3', 'fd00::1', 'fd00::2']
const EXTERNAL = ['192.0.2.1', '10.96.0.1', '2001:db8::1']
const PODS = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', 'fd01::1', 'fd01::2', 'fd01::3']
const RANGES = ['10.1.0.0/16', '10.0.0.0/8', '192.168.1.0/24', 'fd01::/16', 'fd02::/64']
const WORDS = ['', ' local', ' local onlycluster', ' local onlylocal', ' notready', ' terminating']

const endpointText = fc
  .tuple(fc.constantFrom(...PODS), fc.constantFrom(80, 81), fc.constantFrom(...WORDS))
  .map(([address, port, words]) => ({ key: `${address}:${port}`, text: `[${address}]:${port}${words}` }))
const port = fc.record({
  name: fc.constantFrom('p', 'q'),
  protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'UDP' as const),
  port: fc.constantFrom(53, 80),
  nodePort: fc.constantFrom(0, 0, 30053, 30080),
  endpoints: fc
    .uniqueArray(endpointText, { maxLength: 6, selector: one => one.key })
    .map(all => all.map(one => one.text)),
})
const spec: fc.Arbitrary<ServiceSpec> = fc.record({
  name: fc.constantFrom(...NAMES),
  clusterIPs: fc
    .tuple(fc.constantFrom(...VIPS.slice(0, 3)), fc.constantFrom([], VIPS.slice(3, 4), VIPS.slice(4)))
    .map(([v4, v6]) => [v4, ...v6]),
  externalIPs: fc.subarray(EXTERNAL),
  loadBalancerIPs: fc.subarray(EXTERNAL),
  sourceRanges: fc.oneof(fc.constant([]), fc.subarray(RANGES)),
  ports: fc.uniqueArray(port, { minLength: 1, maxLength: 3, selector: one => `${one.name} ${one.protocol}` }),
  affinity: fc.constantFrom(0, 0, 10),
  internalLocal: fc.boolean(),
})

type Step = (world: World) => Promise<void> | void
const steps: fc.Arbitrary<{ readonly text: string; readonly run: Step }> = fc.oneof(
  {
    weight: 6,
    arbitrary: spec.map(one => ({
      text: `set ${JSON.stringify(one)}`,
      run: (world: World) => world.set(service(one)),
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...NAMES)
      .map(name => ({ text: `delete ${name}`, run: (world: World) => world.delete(name) })),
  },
  {
    weight: 1,
    arbitrary: fc.subarray(['192.168.1.1', '10.96.0.2', 'fd02::1']).map(all => ({
      text: `node ${all}`,
      run: (world: World) => world.setNode(node(all, ['10.96.0.0/16', 'fd00::/112'])),
    })),
  },
  { weight: 5, arbitrary: fc.constant({ text: 'sync', run: (world: World) => world.sync() }) },
  {
    weight: 3,
    arbitrary: fc
      .integer({ min: 1, max: 6 })
      .map(count => ({ text: `turns ${count}`, run: (world: World) => world.turns(count) })),
  },
  {
    weight: 4,
    arbitrary: fc.constant({
      text: 'settle',
      run: async (world: World) => {
        world.sync()
        await world.settle()
        world.checkSettled()
      },
    }),
  },
  { weight: 4, arbitrary: fc.constant({ text: 'connect', run: (world: World) => world.connect() }) },
  { weight: 1, arbitrary: fc.constant({ text: 'disconnect', run: (world: World) => world.disconnect() }) },
  { weight: 1, arbitrary: fc.constant({ text: 'release ids', run: (world: World) => world.releaseIds() }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 40_000 })
      .map(ms => ({ text: `pass ${ms}`, run: (world: World) => world.clock.pass(ms) })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('repair', 'restart').map(next => ({
      text: `corrupt, then ${next}`,
      run: async (world: World) => {
        world.sync()
        await world.settle()
        world.corrupt()
        world.corrupt()
        if (next === 'restart') await world.restart({ newMaps: false })
        await world.repair()
        world.checkSettled()
      },
    })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map(newMaps => ({
      text: `restart, new maps: ${newMaps}`,
      run: (world: World) => world.restart({ newMaps }),
    })),
  },
)

async function play(
  options: { sizes: FakeSizes; ids: number; faults: number },
  seed: number,
  script: readonly { readonly text: string; readonly run: Step }[],
): Promise<void> {
  const world = new World({
    sizes: options.sizes,
    limits: { maxBackendId: options.ids, maxServicePortId: options.ids },
    faults: options.faults,
    seed,
  })
  try {
    world.setNode(node(['192.168.1.1', 'fd02::1'], ['10.96.0.0/16']))
    for (const step of script) await step.run(world)
    world.sync()
    await world.settle()
    world.checkSettled()
    for (const name of NAMES) world.delete(name)
    await expectNothingLeft(world)
  } finally {
    world.close()
  }
}

function property(
  options: { sizes: FakeSizes; ids: number; faults: number },
  numRuns: number,
): () => Promise<void> {
  return async () => {
    const script = fc
      .array(steps, { minLength: 20, maxLength: 120, size: 'max' })
      .map(list =>
        Object.assign(list, { [fc.toStringMethod]: () => `\n${list.map(step => step.text).join('\n')}\n` }),
      )
    const { KPNG_MODEL_RUNS: runs, KPNG_MODEL_SEED: seed, KPNG_MODEL_PATH: path } = process.env
    await fc.assert(
      fc.asyncProperty(fc.integer(), script, async (chance, list) => play(options, chance, list)),
      {
        numRuns: Number(runs ?? numRuns),
        endOnFailure: true,
        ...(seed === undefined ? {} : { seed: Number(seed) }),
        ...(path === undefined ? {} : { path }),
      },
    )
  }
}

describe('whatever happens, after settle each frontend answers as it should', () => {
  it('with room and no failures', property({ sizes: WIDE, ids: 500, faults: 0 }, 20))
  it('with one operation in ten failing', property({ sizes: WIDE, ids: 500, faults: 0.1 }, 20))
  it('with too little room', property({ sizes: TIGHT, ids: 14, faults: 0 }, 20))
  it(
    'with too little room and one operation in ten failing',
    property({ sizes: TIGHT, ids: 14, faults: 0.1 }, 20),
  )
})

it('clients of the model return to their backends up to the last nanosecond of affinity', async () => {
  const world = new World({
    ...{ sizes: WIDE, limits: { maxBackendId: 500, maxServicePortId: 500 }, faults: 0, seed: 1 },
  })
  try {
    world.setNode(node(['192.168.1.1'], ['10.96.0.0/16']))
    const ports = [{ name: 'p', port: 80, endpoints: PODS.slice(0, 4).map(address => `${address}:80`) }]
    world.set(service({ name: 'a/one', clusterIPs: ['10.96.0.1'], affinity: 10, ports }))
    world.sync()
    await world.settle()
    // Pauses before retries are no whole nanoseconds.
    await world.clock.pass(2 ** -22)
    for (let connections = 0; connections < 8; connections++) world.connect()
    await world.clock.pass(10_000)
    world.checkSettled()
    assert(world.counts.returned >= 2, `${world.counts.returned} returned`)
  } finally {
    world.close()
  }
})
