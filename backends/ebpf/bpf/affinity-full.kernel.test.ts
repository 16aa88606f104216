import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failOnLeakedFds } from '@kpng/ebpf/testing'
import { ask } from './testing/ask.ts'
import { TestDatapath } from './testing/datapath.ts'

failOnLeakedFds()

const room = 256
const clients = 4096
const backends = ['10.1.0.1#80', '10.1.0.2#80', '10.1.0.3#80', '10.1.0.4#80']

test('[KP-4.3] more clients than the affinity map holds: all are served, who was just here returns, others pick anew', () => {
  using datapath = new TestDatapath({ maxEntries: { affinity: room } })
  const service = datapath.service({ vips: ['10.96.0.1#80'], backends, affinityTimeoutS: 3600 })
  const program = datapath.loadSelectTest().program('select_test')
  const known = new Set(backends.map(name => service.idOf(name)))
  const backendOf = (client: number): number => {
    const { backend } = ask(program, '10.96.0.1', 80, { client: BigInt(client) })
    assert.ok(known.has(backend), `client ${client} gets backend ${backend}`)
    return backend
  }
  const remembered = (): number => [...datapath.affinity.entries()].length

  const first = Array.from({ length: clients }, (_, n) => backendOf(n + 1))
  assert.ok(remembered() <= room, `${remembered()} of ${room}`)
  assert.ok(remembered() > room / 4, `only ${remembered()} of ${room} are remembered`)
  // The last one is the most recently used.
  for (let again = 0; again < 20; again++) assert.equal(backendOf(clients), first.at(-1))
  // The first ones were forgotten long ago: now and then they get another, and keep that.
  const anew = Array.from({ length: room }, (_, n) => n + 1).filter(
    client => backendOf(client) !== first[client - 1],
  )
  assert.ok(anew.length > 0, 'nobody was forgotten')
  const last = backendOf(1)
  for (let again = 0; again < 20; again++) assert.equal(backendOf(1), last)
})
