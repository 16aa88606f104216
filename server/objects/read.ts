/** From any parsed JSON or YAML value to the object kpng knows it as. */
import { readEndpointSlice } from './endpoint-slice.ts'
import { Fields, isRecord, type ReadContext, show } from './fields.ts'
import { readNode, readServiceCIDR } from './node.ts'
import { readService } from './service.ts'
import type { KubeObject } from './types.ts'

const READERS: ReadonlyMap<string, (object: Fields) => KubeObject | undefined> = new Map<
  string,
  (object: Fields) => KubeObject | undefined
>([
  ['v1/Service', readService],
  ['v1/Node', readNode],
  ['discovery.k8s.io/v1/EndpointSlice', readEndpointSlice],
  ['networking.k8s.io/v1/ServiceCIDR', readServiceCIDR],
  ['networking.k8s.io/v1beta1/ServiceCIDR', readServiceCIDR],
])

export interface TypeMeta {
  readonly apiVersion: string
  readonly kind: string
}

/** apiVersion and kind; '' where missing or no text. */
export function typeMeta(value: unknown): TypeMeta {
  const text = (field: string) =>
    isRecord(value) && Object.hasOwn(value, field) && typeof value[field] === 'string' ? value[field] : ''
  return { apiVersion: text('apiVersion'), kind: text('kind') }
}

export type ReadResult =
  | { readonly outcome: 'object'; readonly object: KubeObject }
  /** Of a kind kpng has no use for. */
  | { readonly outcome: 'unknown-kind'; readonly type: TypeMeta }
  /** Reported to the context, or (FQDN slices) without interest. */
  | { readonly outcome: 'ignored' }

/** Never throws, whatever value is. `type` stands in where the value does not name its own (items of a list). */
export function readObject(
  value: unknown,
  context: ReadContext,
  type: TypeMeta = typeMeta(value),
): ReadResult {
  if (!isRecord(value)) {
    context.report([], `is not an object, but ${show(value)}: ignored`)
    return { outcome: 'ignored' }
  }
  if (type.kind === '') {
    context.report(['kind'], 'is missing: this is no Kubernetes object')
    return { outcome: 'ignored' }
  }
  const read = READERS.get(`${type.apiVersion}/${type.kind}`)
  if (read === undefined) return { outcome: 'unknown-kind', type }
  const object = read(Fields.root(value, context))
  return object === undefined ? { outcome: 'ignored' } : { outcome: 'object', object }
}
