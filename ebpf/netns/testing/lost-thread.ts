import { interceptSyscalls } from '../../sys/syscall.ts'

// The thread of NetnsWorker on a machine that lets it enter namespaces but not come back.
const EPERM = 1
let entered = false
interceptSyscalls(name => {
  if (name !== 'setns') return undefined
  if (entered) return -EPERM
  entered = true
  return undefined
})
await import('../netns-thread.ts')
