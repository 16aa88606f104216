import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach } from 'node:test'
import { ensureBpffs } from './pin.ts'
import { openFds, traceFds } from './sys/fd.ts'

/** For tests of this package and of those who use it. */
export { forgetProbes } from './features.ts'
export { type OpenFd, openFds, traceFds } from './sys/fd.ts'
export { interceptSyscalls, type SyscallHook } from './sys/syscall.ts'

/** Descriptors of the kernel's BPF objects that this process has open, whoever opened them: `12 bpf-map`. */
export const openBpfObjects = (): string[] =>
  readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      const object = /^anon_inode:\[?(bpf[^\]]*|btf)/.exec(target)?.[1]
      return object === undefined ? [] : [`${fd} ${object}`]
    } catch {
      return [] // the descriptor of the directory itself
    }
  })

/** From now on each test of this file fails that leaves a descriptor of the library or of the kernel's open. */
export const failOnLeakedFds = (): void => {
  let before: string[] = []
  traceFds(true)
  const opened = (): string[] => [
    ...openFds().map(({ fd, what, openedAt }) => `${fd} ${what}, ${openedAt}`),
    ...openBpfObjects(),
  ]
  beforeEach(() => {
    before = opened()
  })
  afterEach(() => {
    const leaked = opened().filter(one => !before.includes(one))
    if (leaked.length > 0) throw new Error(`left open: ${leaked.join('\n')}`)
  })
}

let count = 0
const uniqueName = (): string =>
  `kpng-test-${process.pid}-${++count}-${Math.random().toString(36).slice(2, 8)}`

/** A directory for pins that nobody else uses; gone with all its pins after dispose. */
export const scratchPins = (): Disposable & { readonly path: string } => {
  ensureBpffs()
  const path = `/sys/fs/bpf/${uniqueName()}`
  mkdirSync(path, { mode: 0o700 })
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Where cgroup2 is mounted. Throws when it is not. */
export const cgroup2Root = (): string => {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')
  if (mount?.[1] === undefined) throw new Error('cgroup2 is not mounted')
  return mount[1]
}

/** A cgroup that nobody else uses. `enter` moves this process into it; dispose moves it back. */
export const scratchCgroup = (): Disposable & { readonly path: string; enter(): void } => {
  const home = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find(line => line.startsWith('0::'))
  const root = cgroup2Root()
  const path = `${root}/${uniqueName()}`
  mkdirSync(path)
  const move = (to: string): void => writeFileSync(`${to}/cgroup.procs`, `${process.pid}`)
  let entered = false
  return {
    path,
    enter() {
      move(path)
      entered = true
    },
    [Symbol.dispose]() {
      if (entered) move(`${root}${home?.slice(3) ?? '/'}`)
      rmdirSync(path)
    },
  }
}
