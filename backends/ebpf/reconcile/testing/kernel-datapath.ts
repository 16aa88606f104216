import { formatIP } from '@kpng/api'
import { type BpfMap, type LoadedObject, loadObject, type Program } from '@kpng/ebpf'
import { datapathMapsOf } from '../../attach/typed-maps.ts'
import { Reason } from '../../bindings.gen.ts'
import { mapped } from '../../bpf/testing/address.ts'
import { ask } from '../../bpf/testing/ask.ts'
import type { DatapathMaps } from '../maps.ts'
import { type FrontendPlace, protocolNumber } from '../rows.ts'
import { type Asker, type Datapath, type Met, refusalOf } from './datapath.ts'
import type { FakeSizes } from './fake-maps.ts'

const object = new URL('../../bpf/build/select_test.bpf.o', import.meta.url).pathname
/** The clock of a model begins at 0, which means "now" to the program. */
const FIRST_NS = 1_000_000_000n

/** Maps of the kernel and the selection core over them: loaded, attached to nothing. */
export class KernelDatapath implements Datapath {
  readonly maps: DatapathMaps
  readonly #sizes: FakeSizes
  readonly #object: LoadedObject

  constructor(sizes: FakeSizes, affinity?: BpfMap) {
    const { frontends, slots, addresses, names, sources, lists } = sizes
    this.#sizes = sizes
    this.#object = loadObject(object, {
      maxEntries: {
        ...{ svc4: frontends, svc6: frontends, backend4: slots, backend6: slots, list: lists },
        ...{ addr4: addresses, addr6: addresses, service: names, source4: sources, source6: sources },
      },
      ...(affinity === undefined ? {} : { reuse: { affinity } }),
    })
    this.maps = datapathMapsOf(name => this.#object.map(name))
  }

  renew(): KernelDatapath {
    return new KernelDatapath(this.#sizes, this.#object.map('affinity'))
  }

  /** The selection core. */
  get program(): Program {
    return this.#object.program('select_test')
  }

  connect(place: FrontendPlace, { client, source, random, nowNs }: Asker): Met {
    const answer = ask(this.program, place.address, place.port, {
      ...{ client, random, source: mapped(source), proto: protocolNumber(place.protocol) },
      nowNs: FIRST_NS + nowNs,
    })
    const { reason, servicePort, backend: id, generation, backendPort: port } = answer
    if (reason !== Reason.TRANSLATED) return { verdict: refusalOf(reason) }
    return { verdict: 'TRANSLATED', servicePort, id, generation, address: formatIP(answer.backendAddr), port }
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]()
  }
}
