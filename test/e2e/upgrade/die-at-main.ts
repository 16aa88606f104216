import { interceptSyscalls } from '@kpng/ebpf/testing'

/**
 * Preloaded into an agent: it is killed when it is about to make a call of bpf(2) for the n-th time, as in
 * KPNG_DIE_AT="28:3", command 28 and n 3.
 */
const [command, nth] = (process.env.KPNG_DIE_AT ?? '').split(':').map(Number)
let count = 0

interceptSyscalls((name, [called]) => {
  if (name === 'bpf' && called === command && ++count === nth) process.kill(process.pid, 'SIGKILL')
  return undefined
})
