import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** A NodePort of each protocol and family. */
const ports = { tcp4: 30_080, udp4: 30_053, tcp6: 30_081 } as const
const nodeAddresses = { IPv4: '192.168.78.1', IPv6: 'fd00:78::1' } as const

let stage: Stage
let up: Promise<Stage> | undefined
beforeEach(async () => {
  up ??= Stage.up({ pods: ['10.180.0.1', 'fd00:180::1'], options: ['--protect-node-ports'] })
  stage = await up
  await stage.apply(...services)
})
after(async () => await (await up)?.[Symbol.asyncDispose]())

const web = service({
  name: 'web',
  type: 'NodePort',
  clusterIPs: ['10.96.7.1'],
  ports: [
    { name: 'http', port: 80, nodePort: ports.tcp4 },
    { name: 'dns', port: 53, protocol: 'UDP', nodePort: ports.udp4 },
  ],
})
const six = service({
  name: 'six',
  type: 'NodePort',
  clusterIPs: ['fd00:96:7::1'],
  ports: [{ name: 'http', port: 80, nodePort: ports.tcp6 }],
})
const services = [
  web,
  six,
  endpointSlice({ service: 'web', ports: [{ name: 'http', port: 8080 }], endpoints: ['10.180.0.1'] }),
  endpointSlice({ service: 'six', ports: [{ name: 'http', port: 8080 }], endpoints: ['fd00:180::1'] }),
]

/** What bind() says, as `tcp 0.0.0.0 30080`. */
async function bind(...wanted: readonly string[]): Promise<Record<string, string>> {
  return await stage.clients.run(`
result = {}
for wanted in ${JSON.stringify(wanted)}:
    protocol, address, port = wanted.split()
    s = new_socket(address, STREAM if protocol == "tcp" else DATAGRAM)
    try:
        s.bind((address, int(port)))
        result[wanted] = "bound"
    except OSError as error:
        result[wanted] = error_name(error)
    s.close()
`)
}

const all = (answer: string, places: readonly string[]): Record<string, string> =>
  Object.fromEntries(places.map(place => [place, answer]))

test('a NodePort of each protocol and family is held, on wildcards and on the node’s addresses', async () => {
  const held = [
    `tcp 0.0.0.0 ${ports.tcp4}`,
    `tcp ${nodeAddresses.IPv4} ${ports.tcp4}`,
    `udp 0.0.0.0 ${ports.udp4}`,
    `udp ${nodeAddresses.IPv4} ${ports.udp4}`,
    `tcp :: ${ports.tcp6}`,
    `tcp ${nodeAddresses.IPv6} ${ports.tcp6}`,
    // It would take what comes by IPv4.
    `tcp :: ${ports.tcp4}`,
    `tcp ::ffff:0.0.0.0 ${ports.tcp4}`,
    `tcp ::ffff:${nodeAddresses.IPv4} ${ports.tcp4}`,
    `udp :: ${ports.udp4}`,
  ]
  assert.deepEqual(await bind(...held), all('EADDRINUSE', held))
})

test('the same number with another protocol or family, elsewhere, or next to it, is not', async () => {
  const free = [
    `udp 0.0.0.0 ${ports.tcp4}`,
    `tcp 0.0.0.0 ${ports.udp4}`,
    `tcp 0.0.0.0 ${ports.tcp6}`,
    `udp :: ${ports.tcp6}`,
    `tcp 127.0.0.1 ${ports.tcp4}`,
    `tcp ::1 ${ports.tcp6}`,
    `tcp 10.180.0.1 ${ports.tcp4}`,
    `tcp 0.0.0.0 ${ports.tcp4 + 1_000}`,
    'tcp 0.0.0.0 80',
  ]
  assert.deepEqual(await bind(...free), all('bound', free))
})

test('a NodePort is free when its Service is gone, and who had it before the Service keeps it', async () => {
  const place = `tcp 0.0.0.0 ${ports.tcp4}`
  await stage.apply()
  assert.deepEqual(await bind(place), { [place]: 'bound' })
  await stage.clients.run(`
early = new_socket("0.0.0.0", STREAM)
early.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
early.bind(("0.0.0.0", ${ports.tcp4}))
early.listen()
result = None
`)
  try {
    await stage.apply(...services)
    // Not of the Service: the loopback serves no NodePorts.
    assert.equal(
      await stage.clients.run(`
client = new_socket("127.0.0.1", STREAM)
client.connect(("127.0.0.1", ${ports.tcp4}))
result = client.getpeername()[1]
client.close()
`),
      ports.tcp4,
    )
    assert.deepEqual(await stage.reached(nodeAddresses.IPv4, ports.tcp4), ['10.180.0.1:8080'])
  } finally {
    await stage.clients.run('early.close()')
  }
  assert.deepEqual(await bind(place), { [place]: 'EADDRINUSE' })
})
