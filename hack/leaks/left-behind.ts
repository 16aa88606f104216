import { attended } from './processes.ts'
import type { Trace } from './traces.ts'

/** Unique among all traces. */
export const traceKey = (trace: Trace): string => `${trace.kind} ${trace.id}`

/**
 * Names of the labs and instances that traces belong to: `demo` for /run/netns/kpng-demo-fabric,
 * /sys/fs/cgroup/kpng-demo, /run/kpng/demo-node1 (which gives `demo-node1`).
 */
export function owners(traces: readonly Trace[]): Set<string> {
  const found = new Set<string>()
  for (const { kind, text } of traces) {
    const cgroup = kind === 'cgroup' ? /\/kpng-([^/\s]+)$/.exec(text)?.[1] : undefined
    const directory = /^(?:\/run\/kpng|\/run\/kpng\/lab|\/sys\/fs\/bpf\/kpng)\/([^/\s]+)$/.exec(text)?.[1]
    const name = cgroup ?? directory
    if (name !== undefined) found.add(name)
  }
  return found
}

/** Whether a trace is named after one of the owners, or held by a process that is. */
export function belongsTo(trace: Trace, names: ReadonlySet<string>): boolean {
  const ends = (text: string, at: number): boolean => at === text.length || /[-/\s:.)]/.test(text[at] ?? '')
  for (const name of names) {
    for (const mark of [
      `/kpng-${name}`,
      `/kpng/${name}`,
      `/kpng/lab/${name}`,
      `--name ${name}`,
      `--instance ${name}`,
    ]) {
      for (let at = trace.text.indexOf(mark); at >= 0; at = trace.text.indexOf(mark, at + 1)) {
        if (ends(trace.text, at + mark.length)) return true
      }
    }
  }
  return false
}

/**
 * What is there now and neither was before, nor belongs to a lab or an agent that was, nor to somebody at work, such
 * as another test run.
 */
export function leftBehind(before: readonly Trace[], now: readonly Trace[]): Trace[] {
  const known = new Set(before.map(traceKey))
  const living = owners(before).union(atWork(now))
  return unattended(now)
    .filter(trace => !known.has(traceKey(trace)))
    .filter(trace => !belongsTo(trace, living))
}

/** What belongs to no lab and no agent that has a process: their leftovers, and processes that nobody owns. */
export function strays(now: readonly Trace[]): Trace[] {
  const processes = now.filter(trace => trace.kind === 'process')
  const running = [...owners(now)].filter(name => processes.some(one => belongsTo(one, new Set([name]))))
  const living = new Set(running).union(atWork(now))
  return unattended(now).filter(trace => isOurs(trace) && !belongsTo(trace, living))
}

/** Without the processes that somebody waits for, and without temporary files if there are any: they may be theirs. */
function unattended(now: readonly Trace[]): Trace[] {
  const somebody = now.some(trace => trace.kind === attended)
  return now.filter(trace => trace.kind !== attended && !(somebody && trace.kind === 'temporary file'))
}

/** Names of the cgroups and control planes in which there are processes that somebody waits for. */
function atWork(now: readonly Trace[]): Set<string> {
  const names = now
    .filter(trace => trace.kind === attended)
    .flatMap(({ text }) => [
      /\(cgroup \/(?:.*\/)?kpng-([^/)]+)/.exec(text)?.[1],
      /\/kpng-(control-plane-[^/\s]+)/.exec(text)?.[1],
    ])
  return new Set(names.filter(name => name !== undefined))
}

/** BPF objects of other programs on this machine have nothing of ours in their text. */
const isOurs = (trace: Trace): boolean => !trace.kind.startsWith('BPF ') || trace.text.includes('kpng')
