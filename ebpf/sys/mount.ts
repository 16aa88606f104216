import { cString } from './memory.ts'
import { syscall } from './syscall.ts'

/** mount(2) of a bpf file system that only its owner may enter. Gives 0 or -errno. */
export const mountBpffs = (directory: string): number =>
  syscall('mount', cString('bpf'), cString(directory), cString('bpf'), 0, cString('mode=0700'), 0)
