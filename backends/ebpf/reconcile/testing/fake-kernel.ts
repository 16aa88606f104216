import { parseIPv4 } from '@kpng/api'
import type { RecordRow } from '../../bindings.gen.ts'
import { parseIPv6 } from '../../plan/address.ts'
import type { DeadBackend, IdsInUse, ReconcilerHooks, StaleResult, SyncPass } from '../hooks.ts'

/** Socket records and what the hooks do to them, in memory. */
export class FakeKernel implements ReconcilerHooks {
  readonly records: RecordRow[] = []
  /** All that destroyStale was asked for. */
  readonly destroyed: DeadBackend[] = []
  readonly passes: SyncPass[] = []
  graces = 0
  /** Asked before each call; true makes it fail. */
  fault: () => boolean = () => false

  /** Called when a grace period begins; what it gives is called when it ends. */
  began: () => () => void = () => () => {}

  passed(pass: SyncPass): void {
    this.passes.push(pass)
  }

  async grace(): Promise<void> {
    this.graces++
    const ended = this.began()
    await new Promise(resolve => setImmediate(resolve))
    if (this.fault()) throw new Error('grace made to fail')
    ended()
  }

  async destroyStale(dead: readonly DeadBackend[]): Promise<StaleResult> {
    await new Promise(resolve => setImmediate(resolve))
    if (this.fault()) throw new Error('destroyStale made to fail')
    this.destroyed.push(...dead)
    let destroyed = 0
    for (const { id, generation } of dead) {
      for (const [at, row] of [...this.records.entries()].reverse()) {
        if (row.backend !== id || row.generation !== generation || row.connected !== 1 || row.proto !== 17)
          continue
        this.records.splice(at, 1)
        destroyed++
      }
    }
    return { destroyed, failed: 0 }
  }

  async idsInUse(): Promise<IdsInUse> {
    await new Promise(resolve => setImmediate(resolve))
    if (this.fault()) throw new Error('idsInUse made to fail')
    return {
      backends: new Set(this.records.map(row => row.backend)),
      servicePorts: new Set(this.records.map(row => row.servicePort)),
    }
  }
}

/** A record as connect() leaves it. */
export function recordRow(row: {
  readonly backend: number
  readonly generation: number
  readonly servicePort: number
  readonly protocol: 'TCP' | 'UDP'
  readonly address: string
  readonly port: number
}): RecordRow {
  const backendAddr = new Uint8Array(16)
  const v4 = parseIPv4(row.address)
  if (v4 === undefined) backendAddr.set(parseIPv6(row.address) ?? backendAddr)
  else {
    backendAddr.set([0xff, 0xff], 10)
    new DataView(backendAddr.buffer).setUint32(12, v4)
  }
  return {
    backend: row.backend,
    generation: row.generation,
    backendPort: row.port,
    servicePort: row.servicePort,
    proto: row.protocol === 'UDP' ? 17 : 6,
    connected: 1,
    backendAddr,
  }
}
