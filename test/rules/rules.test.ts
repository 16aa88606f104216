/**
 * Our rows for a node against the rules said once more (restated.ts), for random objects and random histories.
 *
 *   KPNG_RULES_RUNS   how many random clusters, and a tenth as many histories. Default 1000
 *   KPNG_RULES_SEED, KPNG_RULES_PATH   what a failure prints, to see it again
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type NodeView, type ServiceView, serviceKey } from '@kpng/api'
import fc from 'fast-check'
import { history, keyOf, nodeNames, nodePolicies, objects } from './arbitraries.ts'
import { BRANCHES, type Branch, Coverage } from './branches.ts'
import { Pipeline, Reader } from './pipeline.ts'
import type { RawObject } from './raw-objects.ts'
import { destinationText, type NodePolicies, restate } from './restated.ts'
import type { Departure } from './restated-endpoints.ts'
import { viewedHealth, viewedNode, viewedPorts } from './stated-by-views.ts'

const { KPNG_RULES_RUNS, KPNG_RULES_SEED, KPNG_RULES_PATH } = process.env
const runs = Number(KPNG_RULES_RUNS ?? 1000)
const seed = Number(KPNG_RULES_SEED ?? Date.now() % 1e9)

const DEPARTURES: ReadonlySet<Departure> = new Set<Departure>([
  'bad endpoint addresses are skipped',
  'health is counted over the ports of the Service',
])

const reader = new Reader()
after(() => reader[Symbol.dispose]())

/** What a backend has been told. */
class Recorder {
  readonly services = new Map<string, ServiceView>()
  node: NodeView | undefined
  syncs = 0

  setNode(node: NodeView): void {
    this.node = node
  }
  setService(service: ServiceView): void {
    this.services.set(serviceKey(service), service)
  }
  deleteService(namespace: string, name: string): void {
    assert.ok(this.services.delete(serviceKey({ namespace, name })), `${namespace}/${name} deleted twice`)
  }
  sync(): void {
    this.syncs++
  }
}

function compare(
  raw: readonly RawObject[],
  sink: Recorder,
  nodeName: string,
  policies: NodePolicies,
  seen: Coverage,
) {
  seen.next()
  const stated = restate(raw, nodeName, policies, DEPARTURES, seen.hit)
  const views = [...sink.services.values()]
  assert.ok(sink.node)
  assert.deepEqual(viewedNode(sink.node), stated.node)

  const ports = new Map(views.flatMap(viewedPorts).map(port => [port.key, port]))
  assert.deepEqual([...ports.keys()].sort(), stated.ports.map(port => port.key).sort())
  for (const { key, destinations, affinitySeconds, answers } of stated.ports) {
    const viewed = ports.get(key)
    assert.deepEqual(
      [key, viewed?.destinations],
      [key, [...new Set(destinations.map(destinationText))].sort()],
    )
    assert.deepEqual([key, viewed?.affinitySeconds], [key, affinitySeconds])
    const [answer] = answers
    if (answers.length === 1) assert.deepEqual([key, viewed?.answer], [key, answer])
    else {
      const texts = answers.map(it => JSON.stringify(it))
      assert.ok(texts.includes(JSON.stringify(viewed?.answer)), `${key}: none of the answers that are right`)
    }
  }

  const health = new Map(views.flatMap(viewedHealth).map(it => [it.key, it]))
  assert.deepEqual([...health.keys()].sort(), stated.health.map(it => it.key).sort())
  for (const it of stated.health) {
    const viewed = health.get(it.key)
    assert.deepEqual(viewed, { ...it, count: it.count ?? viewed?.count })
  }
}

const options = (numRuns: number) => ({
  numRuns,
  seed,
  ...(KPNG_RULES_PATH !== undefined && { path: KPNG_RULES_PATH }),
})

describe(`the rules said once more (seed ${seed})`, () => {
  // biome-ignore format: one name
  const anyCluster = '[KP-1.1 KP-1.2 KP-1.4 KP-1.5 KP-1.6 KP-1.7 KP-1.8 KP-1.9 KP-1.10 KP-1.11 KP-1.12 KP-1.13 KP-1.14 KP-1.15 KP-2.1 KP-2.2 KP-2.3 KP-2.4 KP-2.5 KP-2.6 KP-2.7 KP-2.8 KP-2.9 KP-2.11 KP-3.1 KP-3.2 KP-3.3 KP-3.4 KP-3.5 KP-3.5.1 KP-3.5.2 KP-3.5.3 KP-3.5.4 KP-4.1 KP-4.2 KP-4.3 KP-4.4 KP-4.5 KP-4.6 KP-4.7 KP-4.8 KP-4.9 KP-4.15 KP-4.1.1 KP-4.1.2 KP-4.1.3 KP-4.1.4 KP-4.1.5 KP-4.1.6 KP-4.1.9 KP-8.1.6] any cluster: every destination, client and verdict'

  it('names the rules that it goes through', () => {
    const named = /^\[(.*?)\]/.exec(anyCluster)?.[1]?.split(' ')
    assert.deepEqual(named, [
      ...new Set(BRANCHES.filter(branch => !branch.startsWith('(')).map(branch => branch.split(' ')[0])),
    ])
  })

  it(anyCluster, async t => {
    const seen = new Coverage()
    await fc.assert(
      fc.asyncProperty(objects, nodeNames, nodePolicies, async (raw, nodeName, policies) => {
        using pipeline = new Pipeline(new Recorder(), nodeName, policies)
        for (const object of await reader.read(raw)) pipeline.store.set('test', object)
        pipeline.store.complete('test')
        pipeline.view.flush()
        compare(raw, pipeline.sink, nodeName, policies, seen)
      }),
      options(runs),
    )
    const rarest = seen.rarest()
    t.diagnostic(
      `rarest: ${rarest
        .slice(0, 8)
        .map(([branch, count]) => `${branch} (${count})`)
        .join(', ')}`,
    )
    const never = rarest.filter(([, count]) => count === 0).map(([branch]): Branch => branch)
    // Of so many clusters each branch is gone in ten or more.
    if (KPNG_RULES_PATH === undefined && runs >= 1000) assert.deepEqual(never, [])
  })

  it('[KP-1.17 KP-2.11] any history of a cluster: at each look as if its objects had always been as they are', async () => {
    const seen = new Coverage()
    await fc.assert(
      fc.asyncProperty(
        history,
        nodeNames,
        nodePolicies,
        fc.nat(10),
        async (steps, nodeName, policies, late) => {
          using pipeline = new Pipeline(new Recorder(), nodeName, policies)
          const { store, view, sink } = pipeline
          const cluster = new Map<string, RawObject>()
          const look = () => {
            view.flush()
            if (store.isComplete()) compare([...cluster.values()], sink, nodeName, policies, seen)
            else assert.deepEqual([sink.services.size, sink.node, sink.syncs], [0, undefined, 0])
          }
          for (const [i, step] of [...steps, { do: 'look' } as const].entries()) {
            if (i === late) store.complete('test')
            if (step.do === 'set') {
              const [object] = await reader.read([step.object])
              const { kind, metadata } = step.object
              cluster.set(keyOf(step.object), step.object)
              // What cannot be read any more is gone.
              if (object === undefined) store.delete('test', { kind, ...metadata })
              else store.set('test', object)
            } else if (step.do === 'look') look()
            else if (cluster.size > 0) {
              const [key, object] = [...cluster][step.which % cluster.size] ?? []
              if (key === undefined || object === undefined) continue
              cluster.delete(key)
              store.delete('test', { kind: object.kind, ...object.metadata })
            }
          }
        },
      ),
      options(Math.ceil(runs / 10)),
    )
  })
})
