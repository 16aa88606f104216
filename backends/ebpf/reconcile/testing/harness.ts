import assert from 'node:assert/strict'
import type { ServiceView } from '@kpng/api'
import type { MapOperation } from '@kpng/ebpf'
import type { RecordRow } from '../../bindings.gen.ts'
import { adopt } from '../adopt.ts'
import { type Adopted, idsOnly } from '../adopted.ts'
import { dumpMaps } from '../dump.ts'
import type { ReconcilerTimes } from '../options.ts'
import { Reconciler } from '../reconciler.ts'
import { FakeKernel } from './fake-kernel.ts'
import { type FakeMaps, type FakeSizes, fakeMaps, SMALL } from './fake-maps.ts'
import { type Fault, faultyMaps } from './faulty-maps.ts'
import { TestClock } from './test-clock.ts'
import { type ServiceSpec, service } from './views.ts'

export interface HarnessOptions {
  readonly sizes?: Partial<FakeSizes>
  readonly limits?: { readonly maxBackendId: number; readonly maxServicePortId: number }
  readonly times?: Partial<ReconcilerTimes>
}

/** One agent on fake maps, with everything that it does to them written down. */
export class Harness implements Disposable {
  readonly #options: HarnessOptions
  readonly clock = new TestClock()
  readonly kernel = new FakeKernel()
  maps: FakeMaps
  reconciler: Reconciler
  /** Since the last `forget`, reads left out: `svc4 update 2`. */
  operations: string[] = []
  /** Looked at before each operation that would change something. */
  fault: Fault = () => undefined
  before: (operation: MapOperation) => void = () => {}

  constructor(options: HarnessOptions = {}) {
    this.#options = options
    this.maps = fakeMaps({ ...SMALL, ...options.sizes })
    this.reconciler = this.#start(undefined)
  }

  #start(adopted: Adopted | undefined): Reconciler {
    const { limits = { maxBackendId: 100, maxServicePortId: 50 }, times = {} } = this.#options
    return new Reconciler({
      maps: faultyMaps(this.maps, operation => this.#ask(operation)),
      limits,
      hooks: this.kernel,
      clock: this.clock,
      random: () => 0.5,
      times,
      ...(adopted === undefined ? {} : { adopted }),
    })
  }

  #ask(operation: MapOperation): number | undefined {
    const { map, kind, entries } = operation
    if (kind === 'lookup' || kind === 'iterate') return undefined
    this.before(operation)
    this.operations.push(`${map} ${kind} ${entries}`)
    return this.fault(operation)
  }

  /** Sets these Services, syncs, and waits until everything has settled. */
  async apply(...specs: readonly (ServiceSpec | ServiceView)[]): Promise<void> {
    for (const spec of specs) this.reconciler.setService('addresses' in spec ? spec : service(spec))
    await this.sync()
  }

  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) this.reconciler.deleteService('default', name)
    await this.sync()
  }

  async sync(): Promise<void> {
    this.reconciler.sync()
    await this.clock.until(this.reconciler.settled())
  }

  /** Another agent takes over, as after a crash between two operations. */
  async restart(records: readonly RecordRow[] = this.kernel.records): Promise<Adopted> {
    this.reconciler.close()
    const adopted = await adopt(this.maps, records)
    this.forget()
    this.reconciler = this.#start(adopted)
    return adopted
  }

  /** Another agent goes on in new, empty maps. */
  async renew(): Promise<void> {
    this.reconciler.close()
    const adopted = await adopt(this.maps, this.kernel.records)
    this.maps = fakeMaps({ ...SMALL, ...this.#options.sizes })
    this.forget()
    this.reconciler = this.#start(idsOnly(adopted))
  }

  forget(): void {
    this.operations = []
  }

  dump(...kinds: readonly string[]): string[] {
    const lines = dumpMaps(this.maps)
    return kinds.length === 0 ? lines : lines.filter(line => kinds.includes(line.split(' ')[0] ?? ''))
  }

  /** The id of the only backend with this address and port that is in a list. */
  id(where: string): number {
    const ids = new Set(
      this.dump('list').flatMap(line =>
        [...line.matchAll(/#(\d+) (\S+?)(,|$)/g)]
          .filter(match => match[2] === where)
          .map(match => Number(match[1])),
      ),
    )
    const [id] = ids
    assert(id !== undefined && ids.size === 1, `${where} has ids ${[...ids]}`)
    return id
  }

  problems(): string[] {
    return this.reconciler.status().problems.map(({ where, message }) => `${where}: ${message}`)
  }

  [Symbol.dispose](): void {
    this.reconciler.close()
  }
}
