import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

test('--socket-record=udp, and back, over restarts: TCP shows the backend, UDP the Service, sockets live on', async () => {
  await using stage = await Stage.up({ pods: ['10.180.0.1'] })
  await stage.apply(
    service({
      name: 'web',
      clusterIPs: ['10.96.8.1'],
      ports: [
        { name: 't', port: 80 },
        { name: 'u', port: 80, protocol: 'UDP' },
      ],
    }),
    endpointSlice({
      service: 'web',
      ports: [
        { name: 't', port: 9090 },
        { name: 'u', port: 8080, protocol: 'UDP' },
      ],
      endpoints: ['10.180.0.1'],
    }),
  )
  await stage.clients.run(`
server = socket.create_server(("10.180.0.1", 9090))
class Pair:
    def __init__(self):
        self.stream = socket.create_connection(("10.96.8.1", 80), 2)
        self.accepted, _ = server.accept()
        self.connected = new_socket("10.96.8.1", DATAGRAM); self.connected.connect(("10.96.8.1", 80))
        self.loose = new_socket("10.96.8.1", DATAGRAM)
    def told(self):
        self.stream.sendall(b"ping")
        return [self.accepted.recv(10).decode(), self.stream.getpeername()[0], self.connected.getpeername()[0],
                ask(self.connected)[1], ask(self.loose, ("10.96.8.1", 80))[1]]
pairs = []
def told():
    pairs.append(Pair())
    return [pair.told() for pair in pairs]`)
  const vip = '10.96.8.1'
  const shown = (peer: string): string[] => ['ping', peer, vip, vip, vip]
  assert.deepEqual(await stage.clients.run('told()'), [shown(vip)])

  await stage.agent.stop('SIGKILL')
  await stage.agent.start(['--socket-record', 'udp'])
  // What a TCP socket remembers from before may be shown or not; nobody else's name is.
  const [before, fresh] = await stage.clients.run<string[][]>('told()')
  assert.ok([vip, '10.180.0.1'].includes(before?.[1] ?? ''), `${before}`)
  assert.deepEqual(before, shown(before?.[1] ?? ''))
  assert.deepEqual(fresh, shown('10.180.0.1'))

  await stage.agent.stop('SIGTERM')
  await stage.agent.start()
  const all = await stage.clients.run<string[][]>('told()')
  assert.deepEqual(all.slice(1), [shown('10.180.0.1'), shown(vip)])
})
