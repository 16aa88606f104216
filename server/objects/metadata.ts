/** Identity: what an object needs before anything else of it is looked at. */
import type { Fields } from './fields.ts'

export interface Identity {
  readonly namespace: string
  readonly name: string
  /** Absent when the object was never in an API server. */
  readonly uid: string | undefined
  /** Absent when the object has none. */
  readonly labels: Fields | undefined
  readonly annotations: Fields | undefined
  /** Has a deletionTimestamp: it is to go, when its finalizers allow. */
  readonly deleting: boolean
}

/** Kubernetes' bounds: a DNS label for Services and namespaces, a DNS subdomain for the rest. */
export const MAX_LABEL = 63
export const MAX_SUBDOMAIN = 253

/**
 * metadata.name and metadata.namespace ('default' when a namespaced object names none, as with kubectl apply).
 * undefined, and reported, when the object cannot be told from others.
 */
export function readIdentity(
  object: Fields,
  scope: 'namespaced' | 'cluster',
  maxName: number,
): Identity | undefined {
  const metadata = object.record('metadata')
  if (metadata === undefined) {
    object.report('has no metadata: the object is ignored', 'metadata')
    return undefined
  }
  const name = readName(metadata, 'name', maxName)
  const namespaced = scope === 'namespaced'
  const namespace =
    namespaced && metadata.has('namespace') ? readName(metadata, 'namespace', MAX_LABEL) : 'default'
  if (name === undefined || namespace === undefined) return undefined
  return {
    name,
    namespace: namespaced ? namespace : '',
    uid: metadata.ownString('uid'),
    labels: metadata.record('labels'),
    annotations: metadata.record('annotations'),
    deleting: metadata.has('deletionTimestamp'),
  }
}

function readName(metadata: Fields, field: string, maxLength: number): string | undefined {
  const name = metadata.has(field) ? metadata.ownString(field) : ''
  if (name === undefined) return undefined // reported already
  if (name === '') metadata.report('is missing: the object is ignored', field)
  else if (name.length > maxLength)
    metadata.report(`is longer than ${maxLength}: the object is ignored`, field)
  // Not the whole of Kubernetes' rules: what would break keys, file names and tables.
  else if (!/^[\w.:-]+$/.test(name)) metadata.report(`is not a name: the object is ignored`, field)
  else return name
  return undefined
}
