import type { Problem } from '@kpng/api'
import { formatPath, isRecord } from '../../objects/fields.ts'
import { readObject } from '../../objects/read.ts'
import type { KubeObject } from '../../objects/types.ts'
import type { ObjectRef } from '../../store/store.ts'
import type { Resource } from './resources.ts'

/** One object of an answer: slim, or not usable. */
export interface Item {
  readonly ref: ObjectRef
  /** undefined: nothing of it can be used, which is the same as not being there. */
  readonly object: KubeObject | undefined
  readonly problems: readonly Problem[]
  /** Of a slice: when that happened which made it what it is, in milliseconds since 1970, if it says so. */
  readonly triggeredAtMs?: number | undefined
}

/** Kept by the EndpointSlice controller: the oldest change of a Pod or Service that a slice's last change is due to. */
const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'

/** `kind/namespace/name`: what a problem of an object is found by. */
export const refKey = (ref: ObjectRef): string => `${ref.kind}/${ref.namespace ?? ''}/${ref.name}`

/** Never throws, whatever value is. */
export function readItem(
  value: unknown,
  resource: Resource,
  adjust: (object: KubeObject) => KubeObject,
): Item {
  const ref = readRef(value, resource)
  if (ref === undefined) return nameless(resource)
  const problems: Problem[] = []
  const where = refKey(ref)
  const result = readObject(
    value,
    {
      own: text => text,
      report: (path, message) => problems.push({ where, field: formatPath(path), message }),
    },
    // Items of a list do not say what they are.
    { apiVersion: resource.apiVersion, kind: resource.kind },
  )
  return {
    ref,
    object: result.outcome === 'object' ? adjust(result.object) : undefined,
    problems,
    triggeredAtMs: resource.kind === 'EndpointSlice' ? triggeredAtMs(value) : undefined,
  }
}

/** undefined as well for what is no time: it is for statistics, and nothing that users write. */
function triggeredAtMs(value: unknown): number | undefined {
  const metadata = isRecord(value) ? value.metadata : undefined
  const annotations = isRecord(metadata) ? metadata.annotations : undefined
  const text = isRecord(annotations) ? annotations[TRIGGER_TIME] : undefined
  const timeMs = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(timeMs) ? undefined : timeMs
}

/** All objects of a kind that do not say who they are count as one. */
function nameless({ kind }: Resource): Item {
  const ref = { kind, name: '' }
  const message = `an object has no name${isNamespaced(kind) ? ', or no namespace' : ''}: it is ignored`
  return { ref, object: undefined, problems: [{ where: refKey(ref), field: 'metadata.name', message }] }
}

/** Identity alone: all that counts of an object that is gone. */
export function readRef(value: unknown, { kind }: Resource): ObjectRef | undefined {
  const metadata = isRecord(value) ? value.metadata : undefined
  if (!isRecord(metadata)) return undefined
  const { name, namespace } = metadata
  if (typeof name !== 'string' || name === '') return undefined
  if (!isNamespaced(kind)) return { kind, name }
  // Of a server's object: it would be taken for that of the namespace `default`.
  return typeof namespace === 'string' && namespace !== '' ? { kind, namespace, name } : undefined
}

const isNamespaced = (kind: Resource['kind']): boolean => kind === 'Service' || kind === 'EndpointSlice'
