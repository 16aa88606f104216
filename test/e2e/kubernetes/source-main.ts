/**
 * Follows an API server with a patience of a test's own, and prints the endpoints of default/web whenever they change:
 *
 *   source-main KUBECONFIG WATCH_SILENCE_MS
 */
import { clusterAccess, KubeSource, Store, UndiciTransport } from '@kpng/server'

const [kubeconfig = '', silence = ''] = process.argv.slice(2)
let last = ''
const store: Store = new Store({
  onWrite: () => {
    const endpoints = store.slicesOf('default/web').flatMap(slice => slice.endpoints)
    const now = JSON.stringify(endpoints.map(({ address }) => address))
    if (now !== last) process.stdout.write(`${now}\n`)
    last = now
  },
})
const transport = new UndiciTransport(clusterAccess({ kubeconfig }), { userAgent: 'kpng-test' })
await using source = new KubeSource(store, transport, {
  nodeName: 'node-a',
  limits: { watchSilenceMs: Number(silence) },
})
await source.start()
await new Promise(resolve => process.stdin.resume().once('end', resolve))
