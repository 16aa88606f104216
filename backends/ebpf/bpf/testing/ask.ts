import assert from 'node:assert/strict'
import type { Program } from '@kpng/ebpf'
import { type SelectTest, selectTest } from '../../bindings.gen.ts'
import { mapped } from './address.ts'
import { protocols } from './datapath.ts'

/** One question to the selection core, `repeat` times; the last answer. */
export function ask(
  program: Program,
  vip: string,
  port: number,
  options: Partial<SelectTest> = {},
  repeat = 1,
): SelectTest {
  const question: SelectTest = {
    vip: mapped(vip),
    backendAddr: new Uint8Array(16),
    client: 0n,
    nowNs: 0n,
    random: 0,
    servicePort: 0,
    backend: 0,
    vipPort: port,
    backendPort: 0,
    generation: 0,
    proto: protocols.tcp,
    reason: 0,
    count: 0,
    source: new Uint8Array(16),
    ...options,
  }
  const data = new Uint8Array(selectTest.size)
  selectTest.encode(question, new DataView(data.buffer), 0)
  const result = program.testRun({ data, repeat })
  assert.equal(result.retval, 0)
  return selectTest.decode(new DataView(result.data.buffer, result.data.byteOffset), 0)
}
