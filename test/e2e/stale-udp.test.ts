import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'

const dns = (
  backends: readonly (string | { address: string; ready: boolean; serving: boolean; terminating: boolean })[],
) => [
  node('node-a', ['192.168.78.1']),
  service({
    name: 'dns',
    clusterIPs: ['10.96.0.10'],
    ports: [
      { name: 'udp', port: 53, protocol: 'UDP' },
      { name: 'tcp', port: 53 },
    ],
  }),
  endpointSlice({
    service: 'dns',
    ports: [
      { name: 'udp', port: 5353, protocol: 'UDP' },
      { name: 'tcp', port: 5353 },
    ],
    endpoints: backends,
  }),
]

async function dnsHost(): Promise<TestHost> {
  const host = new TestHost()
  for (const address of ['10.180.0.1', '10.180.0.2']) {
    host.ip(`addr add ${address}/32 dev lo`)
    await host.listen([
      { address, port: 5353, protocol: 'udp' },
      { address, port: 5353 },
    ])
  }
  return host
}

/**
 * One client of each kind; prints the backend that each has, waits for a line, says within which time its connected
 * UDP socket noticed and what it got after connecting anew, and what became of the others.
 */
const clients = `
import json, socket, sys, time
def ask(s, to=None):
    s.settimeout(1)
    s.sendto(b"q", to) if to else s.send(b"q")
    return s.recvfrom(200)[0].decode().strip()
vip = ("10.96.0.10", 53)
connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); connected.connect(vip)
mapped = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); mapped.connect(("::ffff:10.96.0.10", 53))
loose = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tcp = socket.create_connection(vip)
first = [ask(connected), ask(mapped), ask(loose, vip)]
port = loose.getsockname()[1]
print(json.dumps(first), flush=True)
sys.stdin.readline()
started = time.monotonic()
def moved(s, again):
    # A client that is told that its flow is gone connects again, as resolvers do.
    while time.monotonic() - started < 3:
        try:
            answer = ask(s)
            if answer.startswith("10.180.0.2"): return [answer, time.monotonic() - started]
        except OSError:
            s.connect(again)
        time.sleep(0.02)
    return [None, 3]
result = {"connected": moved(connected, vip), "mapped": moved(mapped, ("::ffff:10.96.0.10", 53)),
          "loose": ask(loose, vip), "samePort": loose.getsockname()[1] == port,
          "tcp": tcp.getpeername()[0]}
print(json.dumps(result), flush=True)
`

test('[KP-7.3 KP-7.4 KP-7.5 KP-14.12 KPNG-D10 DP-9.10 DP-9.13] connected UDP sockets move on when their backend goes; unconnected ones and TCP stay as they are', async () => {
  await using host = await dnsHost()
  const agent = host.agent()
  agent.write(dns(['10.180.0.1']))
  await agent.start()
  const child = host.startWithInput(['python3', '-c', clients])
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.on('data', piece => {
    errors += String(piece)
  })
  const first = JSON.parse(String((await lines.next()).value ?? errors)) as string[]
  assert.deepEqual([...new Set(first)], ['10.180.0.1:5353'])
  await agent.apply(dns(['10.180.0.2']))
  child.stdin.write('go\n')
  const line: unknown = (await lines.next()).value
  assert.ok(typeof line === 'string', errors)
  const result = JSON.parse(line) as Record<string, [string, number]>
  for (const kind of ['connected', 'mapped']) {
    assert.equal(result[kind]?.[0], '10.180.0.2:5353', line)
    assert.ok((result[kind]?.[1] ?? 3) < 1, `${kind} moved on within a second: ${line}`)
  }
  assert.equal(result.loose, '10.180.0.2:5353')
  assert.equal(result.samePort, true, 'the unconnected socket kept its local port')
  assert.equal(result.tcp, '10.96.0.10', 'the TCP connection is still there')
})

test('[KP-7.2 KP-14.12] a backend that terminates but still serves keeps its connected UDP sockets', async () => {
  await using host = await dnsHost()
  const agent = host.agent()
  agent.write(dns(['10.180.0.1']))
  await agent.start()
  const child = host.startWithInput([
    'python3',
    '-c',
    `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("10.96.0.10", 53)); s.settimeout(1)
def ask():
    s.send(b"q"); return s.recv(200).decode().strip()
print(ask(), flush=True); sys.stdin.readline(); print(ask(), flush=True)
`,
  ])
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.on('data', piece => {
    errors += String(piece)
  })
  const line = async (): Promise<string> => {
    const next = await lines.next()
    // It ended; what it said of that may still be under way.
    if (next.done === true) await sleep(200)
    return String(next.value ?? errors).trim()
  }
  assert.equal(await line(), '10.180.0.1:5353')
  await agent.apply(
    dns([{ address: '10.180.0.1', ready: false, serving: true, terminating: true }, '10.180.0.2']),
  )
  child.stdin.write('go\n')
  assert.equal(await line(), '10.180.0.1:5353')
  const fresh = await host.python<string>(`
import json, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("10.96.0.10", 53)); s.settimeout(1); s.send(b"q")
print(json.dumps(s.recv(200).decode().strip()))
`)
  assert.equal(fresh, '10.180.0.2:5353', 'new flows go to the ready one')
})
