import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type Feature, features, probe } from './features.ts'
import { Command } from './sys/bpf-enum.ts'
import { bytesAt } from './sys/memory.ts'
import { failOnLeakedFds, forgetProbes, interceptSyscalls } from './testing.ts'

failOnLeakedFds()
afterEach(forgetProbes)

/** Answers for the kernel to every bpf(2) with an errno. */
const kernelSays = (errno: number) => interceptSyscalls(name => (name === 'bpf' ? -errno : undefined))

const EPERM = 1
const EINVAL = 22

/** A program is refused for another reason on a kernel without a helper: the verifier's log says so. */
const byHelper: Feature[] = ['set_retval', 'netns_cookie', 'memcg_accounting']

test('this kernel has what kernels since 5.19 have', () => {
  forgetProbes()
  assert.deepEqual(
    features.map(feature => [feature, probe(feature)]),
    features.map(feature => [feature, 'yes']),
  )
})

test('an old kernel does not know commands and types of maps', () => {
  using _ = kernelSays(EINVAL)
  for (const feature of features) {
    // Without even hash maps nothing is said about batches.
    const expected = byHelper.includes(feature) || feature === 'batch' ? 'unknown' : 'no'
    assert.equal(probe(feature), expected, feature)
  }
})

test('[KPNG-C17] a kernel without batches refuses their command alone', () => {
  using _ = interceptSyscalls((name, [command]) =>
    name === 'bpf' && command === Command.MAP_LOOKUP_BATCH ? -EINVAL : undefined,
  )
  assert.equal(probe('batch'), 'no')
})

test('a helper that the kernel does not have is seen in the log of the verifier', () => {
  const log = new TextEncoder().encode('0: (85) call unknown#187\ninvalid func unknown#187\n\0')
  using _ = interceptSyscalls((name, [command, attr]) => {
    if (name !== 'bpf' || command !== Command.PROG_LOAD || !(attr instanceof Uint8Array)) return undefined
    bytesAt(new DataView(attr.buffer).getBigUint64(32, true), log.length).set(log) // log_buf
    return -EINVAL
  })
  assert.equal(probe('set_retval'), 'no')
})

test('without privileges nothing is known, and it is asked again', () => {
  {
    using _ = kernelSays(EPERM)
    for (const feature of features) assert.equal(probe(feature), 'unknown', feature)
  }
  for (const feature of features) assert.equal(probe(feature), 'yes', feature)
})

test('what is known is not asked again', () => {
  probe('ringbuf')
  let asked = 0
  using _ = interceptSyscalls(() => void asked++)
  assert.equal(probe('ringbuf'), 'yes')
  assert.equal(asked, 0)
})
