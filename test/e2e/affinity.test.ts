import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Clients } from './clients.ts'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/**
 * ClientIP affinity. A Service has 16 ports, each with an affinity of its own over the same four pods: what is random
 * differs somewhere with a probability of 1 - 4^-16.
 */
const pods = Array.from({ length: 4 }, (_, index) => `10.180.0.${index + 1}`)
const portCount = 16

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

type Endpoints = Parameters<typeof endpointSlice>[0]['endpoints']

const sticky = (timeoutSeconds: number, endpoints: Endpoints = pods): unknown[] => {
  const ports = Array.from({ length: portCount }, (_, index) => ({ name: `p${index}`, number: index }))
  return [
    service({
      name: 'sticky',
      type: 'NodePort',
      clusterIPs: ['10.96.3.1'],
      ports: ports.map(({ name, number }) => ({ name, port: 100 + number, nodePort: 30100 + number })),
      spec: {
        externalIPs: ['192.0.2.30'],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds } },
      },
    }),
    endpointSlice({
      service: 'sticky',
      ports: ports.map(({ name }) => ({ name, port: 8080 })),
      endpoints,
    }),
  ]
}

/** Which pod each port's connection reaches, once around. */
const around = async (clients = stage.clients, vip = '10.96.3.1', first = 100): Promise<readonly string[]> =>
  await clients.run(`[tcp("${vip}", ${first} + n) for n in range(${portCount})]`)

/** No client has been here before. */
const restart = async (timeoutSeconds: number): Promise<void> => {
  await stage.apply()
  await stage.apply(...sticky(timeoutSeconds))
}

test('[KP-4.3.1 KP-14.10] a client stays with its backend on the ClusterIP, the external IP and the NodePort; ports choose for themselves', async () => {
  await restart(600)
  const first = await around()
  assert.ok(new Set(first).size > 1, `the ports are independent: ${first}`)
  for (const [vip, port] of [
    ['10.96.3.1', 100],
    ['::ffff:10.96.3.1', 100],
    ['192.0.2.30', 100],
    ['192.168.78.1', 30100],
  ] as const)
    assert.deepEqual(await around(stage.clients, vip, port), first, vip)
  await using others = Clients.on(stage.host)
  assert.deepEqual(
    await around(others),
    first,
    'another process of the same network namespace is the same client',
  )
})

test('[KP-4.3.1 DP-9.19] each network namespace is a client of its own', async () => {
  await restart(600)
  const first = await around()
  await using pod = Clients.inNewNamespace(stage.host, pods)
  await pod.run(`serve(${pods.map(address => `"tcp ${address} 8080"`).join(', ')})`)
  const there = await around(pod)
  assert.notDeepEqual(there, first)
  assert.deepEqual(await around(pod), there)
  assert.deepEqual(await around(), first)
})

test('[KP-4.3.2 KP-14.10 DP-9.20] the timeout slides with each connection, and a client that was idle for longer chooses anew', async () => {
  await restart(3)
  const first = await around()
  for (let round = 0; round < 4; round++) {
    await sleep(900)
    assert.deepEqual(await around(), first, `after ${(round + 1) * 0.9} s of use`)
  }
  await sleep(3500)
  assert.notDeepEqual(await around(), first)
})

test('[KP-4.3.3 KP-14.10 DP-9.18] affinity holds only for a backend of the list in force: the client gets another and keeps that', async () => {
  await restart(600)
  const first = await around()
  const [gone = ''] = first
  const rest = pods.filter(pod => `${pod}:8080` !== gone)
  await stage.apply(...sticky(600, rest))
  const second = await around()
  for (const [index, pod] of first.entries())
    if (pod === gone) assert.notEqual(second[index], gone)
    else assert.equal(second[index], pod, 'who was not there stays')
  await stage.apply(...sticky(600))
  assert.deepEqual(await around(), second, 'the one that comes back does not get its clients back')
})

test('[KP-4.3.5 DP-9.18] readiness and hints are decided first: who remembers a backend that is out by them gets another', async () => {
  const here = { forNodes: [{ name: 'node-a' }] }
  const elsewhere = { forNodes: [{ name: 'node-b' }] }
  for (const [why, out, others] of [
    ['terminating', { ready: false, serving: true, terminating: true }, {}],
    ['hinted for another node', { hints: elsewhere }, { hints: here }],
  ] as const) {
    await restart(600)
    const first = await around()
    const [gone = ''] = first
    const endpoints = pods.map(address => ({ address, ...(`${address}:8080` === gone ? out : others) }))
    await stage.apply(...sticky(600, endpoints))
    const second = await around()
    for (const [index, pod] of first.entries())
      if (pod === gone) assert.notEqual(second[index], gone, why)
      else assert.equal(second[index], pod, why)
  }
})

test('a client keeps its backend when the agent is killed and starts again', async () => {
  await restart(600)
  const first = await around()
  await stage.agent.stop('SIGKILL')
  assert.deepEqual(await around(), first)
  await stage.agent.start()
  assert.deepEqual(await around(), first)
  await stage.apply(...sticky(600, [...pods].reverse()))
  assert.deepEqual(await around(), first)
})

test('without sessionAffinity nothing sticks; turned on and off it does and does not', async () => {
  await restart(600)
  const first = await around()
  const [web, slice] = sticky(600) as [{ spec: object }, unknown]
  await stage.apply({ ...web, spec: { ...web.spec, sessionAffinity: 'None' } }, slice)
  const free = await stage.tally('10.96.3.1', 100, 60)
  assert.equal(Object.keys(free).length, 4)
  await stage.apply(web, slice)
  const again = await around()
  assert.deepEqual(await around(), again)
  assert.equal(first.length, again.length)
})

test('UDP sockets of a client share its backend, connected or not', async () => {
  await stage.apply(
    service({
      name: 'sticky-udp',
      clusterIPs: ['10.96.3.2'],
      ports: [{ port: 53, protocol: 'UDP' }],
      spec: { sessionAffinity: 'ClientIP' },
    }),
    endpointSlice({ service: 'sticky-udp', ports: [{ port: 8080, protocol: 'UDP' }], endpoints: pods }),
  )
  const loose = await stage.tally('10.96.3.2', 53, 30, 'udp')
  assert.equal(Object.keys(loose).length, 1, JSON.stringify(loose))
  assert.deepEqual(await stage.tally('10.96.3.2', 53, 30, 'udp_connected'), loose)
})
