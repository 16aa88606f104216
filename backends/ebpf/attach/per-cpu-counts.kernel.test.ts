import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BpfMap, perCpuMap } from '@kpng/ebpf'
import { failOnLeakedFds } from '@kpng/ebpf/testing'
import { maps, serviceCount } from '../bindings.gen.ts'
import { askBeside } from '../bpf/testing/ask-beside.ts'
import { TestDatapath } from '../bpf/testing/datapath.ts'
import { PerCpuCounts } from './per-cpu-counts.ts'

failOnLeakedFds()

const build = join(import.meta.dirname, '../bpf/build')

/** In two's complement, over all CPUs. */
const connections = (map: BpfMap, id: number): bigint =>
  BigInt.asUintN(
    64,
    (perCpuMap(map, maps.serviceCount.key, serviceCount).lookup(id) ?? []).reduce(
      (sum, count) => sum + count.connections,
      0n,
    ),
  )

test('what is counted while counts are moved is neither lost nor counted twice', async t => {
  using datapath = new TestDatapath()
  const service = datapath.service({ vips: ['10.96.0.1#80'], backends: ['10.1.0.1#80'] })
  const before = datapath.sock.map('service_count')
  using grown = new TestDatapath({ maxEntries: { service_count: 4096 } })
  const now = grown.sock.map('service_count')
  using counts = new PerCpuCounts(build, 'service_count', before, now)
  const times = 2_000_000
  const { ended } = await askBeside(datapath.loadSelectTest().program('select_test'), {
    ...{ vip: '10.96.0.1', port: 80, times },
  })
  let going = true
  const end = ended.then(() => {
    going = false
  })
  let seen = 0n
  let moves = 0
  while (going) {
    counts.move()
    const found = connections(now, service.servicePort)
    assert.ok(found >= seen)
    if (found > seen) moves++
    seen = found
    await nextTurn()
  }
  await end
  counts.move()
  t.diagnostic(`${moves} moves while another thread counted`)
  assert.ok(moves > 10, `${moves}`)
  assert.equal(connections(now, service.servicePort), BigInt(times))
  assert.equal(connections(before, service.servicePort), 0n)
})
