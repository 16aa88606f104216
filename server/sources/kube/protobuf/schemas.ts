/**
 * What the proxy uses of Kubernetes' objects, with the field numbers of the generated.proto files in k8s.io/api and
 * k8s.io/apimachinery 1.36 (they never change: they are the wire format).
 */
import {
  boolPointer,
  bytes,
  int32,
  int32Pointer,
  message,
  messageList,
  presence,
  type Schema,
  schema,
  text,
  textList,
  textPointer,
  texts,
} from './decode.ts'

const objectMeta = schema({
  1: text('name'),
  3: text('namespace'),
  5: text('uid'),
  6: text('resourceVersion'),
  9: presence('deletionTimestamp'),
  11: texts('labels'),
  12: texts('annotations'),
})

const service = schema({
  1: message('metadata', objectMeta),
  2: message(
    'spec',
    schema({
      1: messageList(
        'ports',
        schema({ 1: text('name'), 2: text('protocol'), 3: int32('port'), 5: int32('nodePort') }),
      ),
      3: text('clusterIP'),
      4: text('type'),
      5: textList('externalIPs'),
      7: text('sessionAffinity'),
      9: textList('loadBalancerSourceRanges'),
      11: text('externalTrafficPolicy'),
      12: int32('healthCheckNodePort'),
      14: message(
        'sessionAffinityConfig',
        schema({ 1: message('clientIP', schema({ 1: int32Pointer('timeoutSeconds') })) }),
      ),
      18: textList('clusterIPs'),
      19: textList('ipFamilies'),
      22: textPointer('internalTrafficPolicy'),
    }),
  ),
  3: message(
    'status',
    schema({
      1: message(
        'loadBalancer',
        schema({ 1: messageList('ingress', schema({ 1: text('ip'), 3: textPointer('ipMode') })) }),
      ),
    }),
  ),
})

const named = schema({ 1: text('name') })

const endpointSlice = schema({
  1: message('metadata', objectMeta),
  2: messageList(
    'endpoints',
    schema({
      1: textList('addresses'),
      2: message(
        'conditions',
        schema({ 1: boolPointer('ready'), 2: boolPointer('serving'), 3: boolPointer('terminating') }),
      ),
      4: message('targetRef', schema({ 1: text('kind'), 3: text('name') })),
      6: textPointer('nodeName'),
      7: textPointer('zone'),
      8: message('hints', schema({ 1: messageList('forZones', named), 2: messageList('forNodes', named) })),
    }),
  ),
  3: messageList(
    'ports',
    schema({ 1: textPointer('name'), 2: textPointer('protocol'), 3: int32Pointer('port') }),
  ),
  4: text('addressType'),
})

const node = schema({
  1: message('metadata', objectMeta),
  2: message(
    'spec',
    schema({ 5: messageList('taints', schema({ 1: text('key') })), 7: textList('podCIDRs') }),
  ),
  3: message(
    'status',
    schema({ 5: messageList('addresses', schema({ 1: text('type'), 2: text('address') })) }),
  ),
})

const serviceCIDR = schema({
  1: message('metadata', objectMeta),
  2: message('spec', schema({ 1: textList('cidrs') })),
})

const status = schema({
  2: text('status'),
  3: text('message'),
  4: text('reason'),
  5: message('details', schema({ 5: int32('retryAfterSeconds') })),
  6: int32('code'),
})

const listOf = (item: Schema): Schema =>
  schema({
    1: message('metadata', schema({ 2: text('resourceVersion'), 3: text('continue') })),
    2: messageList('items', item),
  })

/** By `apiVersion/kind`. */
export const byType: ReadonlyMap<string, Schema> = new Map([
  ['v1/Status', status],
  ...[
    { group: 'v1', kind: 'Service', of: service },
    { group: 'v1', kind: 'Node', of: node },
    { group: 'discovery.k8s.io/v1', kind: 'EndpointSlice', of: endpointSlice },
    { group: 'networking.k8s.io/v1', kind: 'ServiceCIDR', of: serviceCIDR },
  ].flatMap(({ group, kind, of }): [string, Schema][] => [
    [`${group}/${kind}`, of],
    [`${group}/${kind}List`, listOf(of)],
  ]),
])

/** runtime.Unknown: what every object is wrapped into. */
export const envelope = schema({
  1: message('typeMeta', schema({ 1: text('apiVersion'), 2: text('kind') })),
  2: bytes('raw'),
})

/** metav1.WatchEvent, whose object is a RawExtension. */
export const watchEvent = schema({ 1: text('type'), 2: message('object', schema({ 1: bytes('raw') })) })
