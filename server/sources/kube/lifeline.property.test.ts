/** Whatever comes in whatever order, what is written is what the rule says, and everything else as it was said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { anEndpoint, aService, aSlice } from '../../objects/fixtures.ts'
import type { EndpointSlice, KubeObject, Service } from '../../objects/types.ts'
import { Lifeline } from './lifeline.ts'
import { hold, nothing, type OwnService, usable } from './lifeline-rule.ts'
import { type Item, refKey } from './read-item.ts'
import type { ReflectorTarget } from './reflector.ts'

type Kind = 'Service' | 'EndpointSlice'

/** What one kind's part of the store holds. Lists take several turns, during which nothing else may be written. */
class Target implements ReflectorTarget {
  objects = new Map<string, KubeObject>()
  #busy = false

  async replace(items: ReadonlyMap<string, Item>): Promise<void> {
    this.#enter()
    this.#busy = true
    await turn()
    await turn()
    this.#busy = false
    this.objects = new Map()
    for (const item of items.values()) this.put(item)
  }

  put({ ref, object }: Item): void {
    this.#enter()
    if (object === undefined) this.objects.delete(refKey(ref))
    else this.objects.set(refKey(ref), object)
  }

  delete(ref: Item['ref']): void {
    this.#enter()
    this.objects.delete(refKey(ref))
  }

  #enter(): void {
    assert.equal(this.#busy, false, 'nothing else is written during a list')
  }
}

const port = { name: 'https', protocol: 'TCP', port: 443 } as const
const own = aService({
  namespace: 'default',
  name: 'kubernetes',
  clusterIPs: { IPv4: '10.96.0.1', IPv6: 'fd00::1' },
  ports: [{ ...port, nodePort: 0 }],
})

const services = fc.constantFrom<Service>(own, { ...own, clusterIPs: { IPv4: '10.96.0.9' } }, aService())
const slices = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    service: fc.constantFrom('kubernetes', 'kubernetes', 'other'),
    family: fc.constantFrom('IPv4', 'IPv6'),
    endpoints: fc.constantFrom(
      [],
      [anEndpoint('192.168.0.1')],
      [anEndpoint('192.168.0.2', { ready: false })],
    ),
  } as const)
  .map((more): EndpointSlice => aSlice({ namespace: 'default', ports: [port], ...more }))

type Step =
  | { readonly do: 'put'; readonly object: Service | EndpointSlice }
  | { readonly do: 'delete'; readonly object: Service | EndpointSlice }
  | { readonly do: 'list'; readonly kind: Kind; readonly objects: ReadonlyArray<Service | EndpointSlice> }
  | { readonly do: 'wait' }

const object = fc.oneof(services, slices)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), object }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), object }) },
    fc
      .array(services, { maxLength: 2 })
      .map(objects => ({ do: 'list' as const, kind: 'Service' as const, objects })),
    fc
      .array(slices, { maxLength: 3 })
      .map(objects => ({ do: 'list' as const, kind: 'EndpointSlice' as const, objects })),
    fc.constant({ do: 'wait' as const }),
  ),
  { maxLength: 20 },
)

const itemOf = (it: Service | EndpointSlice): Item => {
  const ref = { kind: it.kind, namespace: it.namespace, name: it.name }
  return { ref, object: it, problems: [] }
}
const keyOf = (it: Service | EndpointSlice): string => refKey(itemOf(it).ref)
const isOwn = (it: KubeObject): boolean =>
  it.kind === 'Service'
    ? it.name === 'kubernetes'
    : it.kind === 'EndpointSlice' && it.service === 'kubernetes'

test('lifeline: what is written is what the rule says', async () => {
  const addresses = fc.subarray(['10.96.0.1', 'fd00::1', '192.168.0.1']).map(it => new Set(it))
  await fc.assert(
    fc.asyncProperty(steps, addresses, async (all, reached) => {
      const targets = { Service: new Target(), EndpointSlice: new Target() }
      const lifeline = new Lifeline({
        services: targets.Service,
        slices: targets.EndpointSlice,
        addresses: () => reached,
        onProblems: () => {},
      })
      const guarded = { Service: lifeline.services, EndpointSlice: lifeline.slices }
      const said = { Service: new Map<string, KubeObject>(), EndpointSlice: new Map<string, KubeObject>() }
      const lists: { [K in Kind]: Promise<void> } = {
        Service: Promise.resolve(),
        EndpointSlice: Promise.resolve(),
      }
      let good: OwnService = nothing
      const ownSaid = (): OwnService => ({
        service: said.Service.get(keyOf(own)) as Service | undefined,
        slices: [...said.EndpointSlice.values()].filter(isOwn) as EndpointSlice[],
      })
      for (const step of all) {
        if (step.do === 'wait') await turn()
        else {
          const kind = step.do === 'list' ? step.kind : step.object.kind
          // As a reflector: a list is whole before anything else of its kind.
          await lists[kind]
          if (step.do === 'list') {
            said[kind] = new Map(step.objects.map(it => [keyOf(it), it]))
            lists[kind] = guarded[kind].replace(new Map(step.objects.map(it => [keyOf(it), itemOf(it)])))
          } else if (step.do === 'put') {
            said[kind].set(keyOf(step.object), step.object)
            guarded[kind].put(itemOf(step.object))
          } else {
            said[kind].delete(keyOf(step.object))
            guarded[kind].delete(itemOf(step.object).ref)
          }
        }
        good = usable(ownSaid(), good)
      }
      await Promise.all(Object.values(lists))
      const { service, slices: held } = hold(ownSaid(), good, reached)
      const expected = {
        Service: new Map([...said.Service].filter(([, it]) => !isOwn(it))),
        EndpointSlice: new Map([...said.EndpointSlice].filter(([, it]) => !isOwn(it))),
      }
      if (service !== undefined) expected.Service.set(keyOf(service), service)
      for (const it of held) expected.EndpointSlice.set(keyOf(it), it)
      assert.deepEqual(targets.Service.objects, expected.Service)
      assert.deepEqual(targets.EndpointSlice.objects, expected.EndpointSlice)
    }),
    { numRuns: 300 },
  )
})
