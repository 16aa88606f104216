/**
 * Reads an API server twice, in protobuf and in JSON, and prints what each store has then:
 *
 *   encodings-main KUBECONFIG NODE
 */
import { clusterAccess, KubeSource, Store, UndiciTransport } from '@kpng/server'

type Transport = ConstructorParameters<typeof KubeSource>[1]

const [kubeconfig = '', nodeName = ''] = process.argv.slice(2)

/** The same, but asks for `protobuf` or not; notes the content types of the answers. */
function asking(transport: Transport, protobuf: boolean, types: Set<string>): Transport {
  return {
    server: transport.server,
    addresses: transport.addresses,
    get connection() {
      const { connection } = transport
      return {
        request: async (request: Parameters<typeof connection.request>[0]) => {
          const response = await connection.request({ ...request, protobuf })
          types.add(response.contentType?.split(';')[0] ?? '')
          return response
        },
        retire: connection.retire.bind(connection),
      }
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

async function read(protobuf: boolean): Promise<object> {
  const types = new Set<string>()
  const whole = Promise.withResolvers<void>()
  const store: Store = new Store()
  using _feed = store.subscribe(() => {
    if (store.isComplete()) whole.resolve()
  })
  const transport = new UndiciTransport(clusterAccess({ kubeconfig }), { userAgent: 'kpng-test' })
  await using source = new KubeSource(store, asking(transport, protobuf, types), { nodeName })
  await source.start()
  await whole.promise
  const services = [...store.services()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    types: [...types],
    services,
    slices: services.map(({ namespace, name }) => store.slicesOf(`${namespace}/${name}`)),
    node: store.node(nodeName),
    serviceCIDRs: [...store.serviceCIDRs()],
    problems: source.problems(),
  }
}

process.stdout.write(JSON.stringify({ protobuf: await read(true), json: await read(false) }))
