import koffi from 'koffi'
import { EbpfError } from '../error.ts'
import { type SyscallName, syscallNumbers } from './arch.ts'

/** A word, or bytes: their address is passed and they stay where they are until the call is over. */
export type SyscallArgument = number | bigint | Uint8Array
type Syscall = (number: number, ...args: SyscallArgument[]) => number

// koffi takes all three for a pointer. Two shapes, because every argument costs time.
const word = 'void *'
const libc = koffi.load(null)
const syscall3 = libc.func('syscall', 'long', ['long', word, word, word])
const syscall6 = libc.func('syscall', 'long', ['long', word, word, word, word, word, word])
const call3: Syscall = syscall3
const call6: Syscall = syscall6
const numbers = syscallNumbers()

/**
 * Sees every system call before it is made. A number is taken for its result (negative: -errno) and the
 * kernel is not asked; undefined lets the call through.
 */
export type SyscallHook = (name: SyscallName, args: readonly SyscallArgument[]) => number | undefined

let hook: SyscallHook | undefined

/** For tests: observes or fakes the system calls of this thread until disposed. One at a time. */
export const interceptSyscalls = (next: SyscallHook): Disposable => {
  if (hook !== undefined) throw new EbpfError('BUSY', 'system calls are intercepted already')
  hook = next
  return {
    [Symbol.dispose]() {
      hook = undefined
    },
  }
}

/** The one way into the kernel. Gives what the kernel gave, or -errno. Addresses are below 2^53. */
export const syscall = (
  name: SyscallName,
  a: SyscallArgument = 0,
  b: SyscallArgument = 0,
  c: SyscallArgument = 0,
  ...more: readonly [] | readonly [d: SyscallArgument, e: SyscallArgument, f: SyscallArgument]
): number => {
  if (hook !== undefined) {
    const faked = hook(name, [a, b, c, ...more])
    if (faked !== undefined) return faked
  }
  const number = numbers[name]
  const result = more.length === 0 ? call3(number, a, b, c) : call6(number, a, b, c, ...more)
  return result === -1 ? -koffi.errno() : result
}

/**
 * The same on another thread, for calls that block. Only for calls whose effect does not belong to a thread
 * (never setns). Gives -1 on failure: which errno it was is not known.
 */
export const syscallAsync = (
  name: SyscallName,
  a: SyscallArgument = 0,
  b: SyscallArgument = 0,
  c: SyscallArgument = 0,
): Promise<number> => {
  const faked = hook?.(name, [a, b, c])
  if (faked !== undefined) return Promise.resolve(faked)
  return new Promise((resolve, reject) => {
    const done = (error: unknown, result: number): void => (error ? reject(error) : resolve(result))
    syscall3.async(numbers[name], a, b, c, done)
  })
}
