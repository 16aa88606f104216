/**
 * What was left behind on this machine: network namespaces, devices, cgroups, pins, run directories, temporary
 * files, processes, BPF objects.
 *
 *   leaks                 what belongs to no lab and no agent that runs
 *   leaks snapshot FILE   writes down what is there now
 *   leaks compare FILE    what came since, except for what belongs to labs and agents that were there before
 *
 * Exits with 1 when there is something.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { leftBehind, strays, traceKey } from './left-behind.ts'
import { listTraces, type Trace } from './traces.ts'

/** The kernel frees programs and namespaces some time after their last user has gone. */
const settleMs = { compare: 10_000, list: 2_000 }
const pollMs = 250

/** What stays: found at first, and each time again. */
async function settled(find: () => Trace[], withinMs: number): Promise<Trace[]> {
  const end = Date.now() + withinMs
  let found = find()
  while (found.length > 0 && Date.now() < end) {
    await sleep(pollMs)
    const now = new Set(find().map(traceKey))
    found = found.filter(trace => now.has(traceKey(trace)))
  }
  return found
}

async function main([command = 'list', file = '']: string[]): Promise<number> {
  const root = resolve(import.meta.dirname, '../..')
  if (command === 'snapshot' && file !== '') {
    writeFileSync(file, JSON.stringify(listTraces(root), undefined, 1))
    return 0
  }
  let found: Trace[]
  if (command === 'compare' && file !== '') {
    const before = JSON.parse(readFileSync(file, 'utf8')) as Trace[]
    found = await settled(() => leftBehind(before, listTraces(root)), settleMs.compare)
  } else if (command === 'list') {
    found = await settled(() => strays(listTraces(root)), settleMs.list)
  } else {
    process.stderr.write('usage: hack/leaks [snapshot FILE | compare FILE]\n')
    return 2
  }
  const pins = found.filter(trace => trace.kind === 'pin')
  // What hangs on a pin goes with it.
  const roots = found.filter(
    trace => pins.includes(trace) || !pins.some(pin => trace.text.includes(`${pin.id}/`)),
  )
  for (const { kind, text } of roots) process.stderr.write(`left behind: ${kind} ${text}\n`)
  if (found.length === 0) process.stdout.write('leaks  nothing was left behind\n')
  return found.length === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
