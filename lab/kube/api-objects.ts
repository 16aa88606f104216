import type { RawObject } from '@kpng/server'

/** One object as the API server of a lab is told it. */
export interface ApiObject {
  /** `Service/default/web`, `Node//n1` */
  readonly key: string
  readonly kind: LabKind
  /** '' where the kind has none. */
  readonly namespace: string
  readonly path: string
  /** For server-side apply: what the manifest says, without what only a server writes. */
  readonly body: Readonly<Record<string, unknown>>
  /** What goes to the status subresource; undefined where the kind has none. */
  readonly status: unknown
}

type LabKind = 'ServiceCIDR' | 'Node' | 'Service' | 'EndpointSlice'

interface KindInfo {
  readonly apiVersion: string
  readonly prefix: string
  readonly plural: string
  readonly isNamespaced: boolean
  /** Fields beside apiVersion, kind and metadata. */
  readonly fields: readonly string[]
  /** Fields of the status that a proxy looks at. */
  readonly status: readonly string[]
}

/** In the order in which they are made. */
const kinds: Readonly<Record<LabKind, KindInfo>> = {
  ServiceCIDR: {
    apiVersion: 'networking.k8s.io/v1',
    prefix: '/apis/networking.k8s.io/v1',
    plural: 'servicecidrs',
    isNamespaced: false,
    fields: ['spec'],
    status: [],
  },
  Node: {
    apiVersion: 'v1',
    prefix: '/api/v1',
    plural: 'nodes',
    isNamespaced: false,
    fields: ['spec'],
    status: ['addresses', 'conditions'],
  },
  Service: {
    apiVersion: 'v1',
    prefix: '/api/v1',
    plural: 'services',
    isNamespaced: true,
    fields: ['spec'],
    status: ['loadBalancer', 'conditions'],
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    prefix: '/apis/discovery.k8s.io/v1',
    plural: 'endpointslices',
    isNamespaced: true,
    fields: ['addressType', 'endpoints', 'ports'],
    status: [],
  },
}

const kindNames = Object.keys(kinds) as LabKind[]
const isLabKind = (kind: string): kind is LabKind => Object.hasOwn(kinds, kind)

/** Paths of the lists of everything that a lab is made of. */
export const listPaths = kindNames.map(kind => `${kinds[kind].prefix}/${kinds[kind].plural}`)

/** Path of an object by its key, as in ApiObject. */
export function pathOf(key: string): string {
  const [kind = '', namespace = '', name = ''] = key.split('/')
  if (!isLabKind(kind)) throw new RangeError(`no path for ${key}`)
  const { prefix, plural, isNamespaced } = kinds[kind]
  return `${prefix}${isNamespaced ? `/namespaces/${namespace}` : ''}/${plural}/${name}`
}

/** What the API server makes and keeps for itself: a manifest of it would be undone at once. */
const isServersOwn = (key: string): boolean =>
  key === 'ServiceCIDR//kubernetes' ||
  key === 'Service/default/kubernetes' ||
  key === 'EndpointSlice/default/kubernetes'

/**
 * What of the manifests is for the API server, in the order in which it is to be told: an object that is there twice is
 * what its last place says. Kinds that a proxy has no use for are passed over.
 */
export function apiObjects(objects: readonly RawObject[]): ApiObject[] {
  const found = new Map<string, ApiObject>()
  for (const object of objects) {
    const made = apiObject(object)
    if (made !== undefined && !isServersOwn(made.key)) found.set(made.key, made)
  }
  return kindNames.flatMap(kind => [...found.values()].filter(object => object.kind === kind))
}

function apiObject({ apiVersion, kind, metadata, ...rest }: RawObject): ApiObject | undefined {
  if (!isLabKind(kind) || kinds[kind].apiVersion !== apiVersion || typeof metadata.name !== 'string')
    return undefined
  const { isNamespaced, fields, status: statusFields } = kinds[kind]
  const given = typeof metadata.namespace === 'string' ? metadata.namespace : 'default'
  const namespace = isNamespaced ? given : ''
  const key = `${kind}/${namespace}/${metadata.name}`
  const body = {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(isNamespaced && { namespace }),
      ...pick(metadata, ['labels', 'annotations']),
    },
    ...pick(rest, fields),
  }
  const status = isRecord(rest.status) ? rest.status : {}
  return {
    key,
    kind,
    namespace,
    path: pathOf(key),
    body,
    status: statusFields.length === 0 ? undefined : statusOf(status, statusFields),
  }
}

/** null takes away what was there before. */
const statusOf = (status: Readonly<Record<string, unknown>>, fields: readonly string[]): unknown =>
  Object.fromEntries(fields.map(field => [field, status[field] ?? null]))

const pick = (from: Readonly<Record<string, unknown>>, fields: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    fields
      .filter(field => from[field] !== undefined && from[field] !== null)
      .map(field => [field, from[field]]),
  )

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
