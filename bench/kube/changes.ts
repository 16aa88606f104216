import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, inParallel, type StampedAnswer } from './api.ts'
import {
  type ClusterSize,
  endpoint,
  firstAddresses,
  namespaceOf,
  newAddress,
  sliceName,
  triggerTimeAnnotation,
} from './cluster.ts'
import { slicesPath } from './load.ts'
import type { MeasuredProxy } from './proxy.ts'

/** When one change was where. Milliseconds. */
export interface ChangeTimes {
  /** From before the PATCH was sent until the datapath carried the change. */
  readonly sinceRequestMs: number
  /** From the API server's answer on; below zero where the datapath was first. */
  readonly sinceAnswerMs: number
  /** From when another client, which watches as the proxy does, had the event; may be below zero, too. */
  readonly sinceEventMs: number
}

/** What is asked of a large cluster while proxies follow it; knows what it has come to. */
export class ClusterChanges {
  readonly #api: Api
  readonly #size: ClusterSize
  readonly #clusterIPs: readonly string[]
  readonly #addresses: string[][]
  #changes = 0

  constructor(api: Api, size: ClusterSize, clusterIPs: readonly string[]) {
    this.#api = api
    this.#size = size
    this.#clusterIPs = clusterIPs
    this.#addresses = clusterIPs.map((_, index) => firstAddresses(index, size))
  }

  /** What every Service must lead to now, by ClusterIP; of every so-many-th only. */
  expected(step: number): Map<string, readonly string[]> {
    const picked = this.#clusterIPs.map((_, index) => index).filter(index => index % step === 0)
    return new Map(picked.map(index => [this.#clusterIPs[index] ?? '', this.#addresses[index] ?? []]))
  }

  /** Another Service for each number, far from the one before. */
  #scattered(number: number): number {
    return (number * 7_919) % this.#size.services
  }

  /** Replaces a pod of a Service; gives its address before the request is sent. */
  #replace(index: number, number: number): { address: string; send: () => Promise<StampedAnswer> } {
    const change = ++this.#changes
    const address = newAddress(change)
    const addresses = this.#addresses[index]
    if (addresses === undefined) throw new RangeError(`there is no Service ${index}`)
    addresses[number] = address
    const send = (): Promise<StampedAnswer> =>
      this.#api.stamped('PATCH', `${slicesPath(namespaceOf(index))}/${sliceName(index)}`, [
        { op: 'replace', path: `/endpoints/${number}`, value: endpoint(index, number, address, change) },
        {
          op: 'replace',
          path: `/metadata/annotations/${triggerTimeAnnotation.replace('/', '~1')}`,
          value: new Date().toISOString(),
        },
      ])
    return { address, send }
  }

  /** One change, until the datapath carries it. */
  async #followed(proxy: MeasuredProxy, index: number, events?: AwaitedEvent): Promise<ChangeTimes> {
    const { address, send } = this.#replace(index, 0)
    const event = events?.with(address)
    const { carriedNs } = await proxy.expect({
      clusterIP: this.#clusterIPs[index] ?? '',
      newAddress: address,
    })
    const [{ sentNs, answeredNs }, atNs, eventNs] = await Promise.all([send(), carriedNs, event])
    const since = (ns: bigint | undefined): number =>
      ns === undefined ? Number.NaN : Number(atNs - ns) / 1e6
    return { sinceRequestMs: since(sentNs), sinceAnswerMs: since(answeredNs), sinceEventMs: since(eventNs) }
  }

  /** Changes one after the other, with a pause after each. */
  async single(proxy: MeasuredProxy, count: number, pauseMs: number): Promise<ChangeTimes[]> {
    const times: ChangeTimes[] = []
    const events = new AwaitedEvent()
    using _watch = await this.#api.watch('/apis/discovery.k8s.io/v1/endpointslices', (event, atNs) =>
      events.take(event, atNs),
    )
    for (let number = 1; number <= count; number++) {
      times.push(await this.#followed(proxy, this.#scattered(number), events))
      await sleep(pauseMs)
    }
    return times
  }

  /** Resolves when the proxy has followed everything that was changed before. */
  async caughtUp(proxy: MeasuredProxy): Promise<void> {
    await this.#followed(proxy, this.#size.services - 1)
  }

  /** Replaces endpoints at a steady pace, all of a Service before the next. */
  async rolling(endpoints: number, perSecond: number): Promise<void> {
    const started = performance.now()
    const sent: Promise<unknown>[] = []
    for (let number = 0; number < endpoints; number++) {
      const late = (number / perSecond) * 1_000 - (performance.now() - started)
      if (late > 0) await sleep(late)
      const index = Math.floor(number / this.#size.endpoints) % this.#size.services
      // The last Service is what shows that all have been followed.
      sent.push(this.#replace(index, number % this.#size.endpoints).send())
    }
    await Promise.all(sent)
  }

  /** As fast as the API server takes them, scattered over all Services. */
  async bulk(count: number, atOnce: number): Promise<void> {
    await inParallel(count, atOnce, number => this.#replace(this.#scattered(number), 1).send())
  }
}

/** The one event that somebody waits for. */
class AwaitedEvent {
  #text = ''
  #waiting = Promise.withResolvers<bigint>()

  /** When the event came that has this address in it. */
  with(address: string): Promise<bigint> {
    this.#text = JSON.stringify(address)
    this.#waiting = Promise.withResolvers()
    return this.#waiting.promise
  }

  take(event: string, atNs: bigint): void {
    if (this.#text !== '' && event.includes(this.#text)) this.#waiting.resolve(atNs)
  }
}
