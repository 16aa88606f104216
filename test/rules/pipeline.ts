/** From objects as JSON text to what a backend is told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ViewSink } from '@kpng/api'
import { type KubeObject, LocalView, readManifests, Store } from '@kpng/server'
import type { RawObject } from './raw-objects.ts'
import type { NodePolicies } from './restated.ts'

/** Reads objects from JSON text, as any reader of manifests does. */
export class Reader implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'kpng-rules-'))

  async read(raw: readonly RawObject[]): Promise<KubeObject[]> {
    const file = join(this.#directory, 'cluster.json')
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: raw }))
    const { services, slices, nodes, serviceCIDRs } = await readManifests([file])
    return [...services, ...slices, ...nodes, ...serviceCIDRs]
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}

export class Pipeline<Sink extends ViewSink> implements Disposable {
  readonly sink: Sink
  readonly store = new Store()
  readonly view: LocalView

  constructor(
    sink: Sink,
    nodeName: string,
    { masqueradeAll, detector, externalIPs, bindAddress }: NodePolicies,
  ) {
    this.sink = sink
    this.store.addSource('test')
    this.view = new LocalView(this.store, nodeName.trim().toLowerCase(), sink, {
      masqueradeAll,
      localDetector: detector,
      externalIPs,
      ...(bindAddress !== undefined && { bindAddress }),
    })
  }

  [Symbol.dispose](): void {
    this.view[Symbol.dispose]()
  }
}
