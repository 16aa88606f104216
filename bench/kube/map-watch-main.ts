import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { keyedMap, memoryMap, openPinnedMap } from '@kpng/ebpf'
import { backend4, listEntry, Scope, svc4Key, svcValue } from '../../backends/ebpf/bindings.gen.ts'

/**
 * A thread that looks at one list of an agent's maps every 50 microseconds: gets what it is to wait for, answers
 * 'armed', and then with the time (CLOCK_MONOTONIC, ns, a bigint) at which the list had flipped to one with that
 * address.
 */
export interface AwaitedFlip {
  readonly clusterIP: string
  readonly newAddress: string
}

const pollMs = 0.05
const patienceMs = 60_000

const { instance, port } = workerData as { readonly instance: string; readonly port: number }
const pins = `/sys/fs/bpf/kpng/${instance}`
const generation = readdirSync(pins)
  .filter(name => name.startsWith('gen-'))
  .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
  .at(-1)
const open = (name: string) => openPinnedMap(join(pins, generation ?? '', name), { readOnly: true })
const services = keyedMap(open('svc4'), svc4Key, svcValue)
const lists = memoryMap(open('list'), listEntry)
const backends = memoryMap(open('backend4'), backend4)
const never = new Int32Array(new SharedArrayBuffer(4))

const numberOf = (address: string): number =>
  address.split('.').reduce((number, byte) => number * 256 + Number(byte), 0)
const textOf = (number: number): string => [24, 16, 8, 0].map(shift => (number >>> shift) & 255).join('.')

const tcp = 6

function addressesOf(list: number): string[] {
  const { base, count } = lists.read(list)
  return Array.from({ length: count }, (_, at) => textOf(backends.read(base + at).addr))
}

parentPort?.on('message', ({ clusterIP, newAddress }: AwaitedFlip) => {
  const key = { addr: numberOf(clusterIP), port, proto: tcp, scope: Scope.INSIDE }
  const service = services.lookup(key)
  if (service === undefined) throw new Error(`no Service at ${clusterIP}:${port}`)
  let seen = lists.load64(service.list)
  parentPort?.postMessage('armed')
  const deadline = performance.now() + patienceMs
  for (;;) {
    const now = lists.load64(service.list)
    const atNs = process.hrtime.bigint()
    if (now !== seen && addressesOf(service.list).includes(newAddress)) {
      parentPort?.postMessage(atNs)
      return
    }
    seen = now
    if (performance.now() > deadline)
      throw new Error(`the list of ${clusterIP}:${port} has no ${newAddress}: ${addressesOf(service.list)}`)
    // Nobody wakes it: it is a sleep that is shorter than timers can be.
    Atomics.wait(never, 0, 0, pollMs)
  }
})
