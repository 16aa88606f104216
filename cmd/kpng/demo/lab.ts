import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { KpngError } from '@kpng/api'
import type { ProbeResult } from '@kpng/lab'
import { run, runOk, start } from './cli.ts'
import { Load } from './load.ts'

/** What the tour looks at of a probe's result. */
export type ProbeCounts = Omit<ProbeResult, 'sources'>

/** The demo's lab, through the command that the reader has too. */
export class DemoLab {
  readonly name: string
  readonly dir: string

  constructor(name: string, dir: string) {
    this.name = name
    this.dir = dir
  }

  /** Resolves when it is up; what the command says meanwhile goes to `onLine`. */
  async up(onLine: (line: string) => void): Promise<void> {
    const child = start(['lab', 'up', '--name', this.name, '--state', this.dir])
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine)
    const exitCode = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
    if (exitCode !== 0) throw new KpngError('internal', `kpng lab up ended with ${exitCode}`)
  }

  async apply(): Promise<void> {
    await runOk(['lab', 'apply', '--name', this.name, '--state', this.dir])
  }

  async probe(from: string, to: string, count: number): Promise<ProbeCounts> {
    const args = ['--from', from, '--to', to, '--count', `${count}`, '-o', 'json']
    return JSON.parse(await runOk(['lab', 'probe', '--name', this.name, ...args])) as ProbeCounts
  }

  load(who: string, host: string, port: number): Load {
    return new Load(this.name, who, host, port)
  }

  instance(node: string): string {
    return `${this.name}-${node}`
  }

  /** Process id of a node's agent, asked of the agent itself. */
  agentPid(node: string): Promise<number> {
    const socketPath = `/run/kpng/${this.instance(node)}/status.sock`
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, path: '/v1/status' }, answer => {
        text(answer).then(body => resolve((JSON.parse(body) as { pid: number }).pid), reject)
      })
      asked.on('error', reject).end()
    })
  }

  async down(): Promise<void> {
    const { exitCode, stderr } = await run(['lab', 'down', '--name', this.name])
    if (exitCode !== 0) throw new KpngError('internal', `kpng lab down ended with ${exitCode}: ${stderr}`)
  }
}

/** Adds what two series of tries have given. */
export function addProbes(a: ProbeCounts, b: ProbeCounts): ProbeCounts {
  const merge = (x: Record<string, number>, y: Record<string, number>): Record<string, number> => {
    const sum = { ...x }
    for (const [key, count] of Object.entries(y)) sum[key] = (sum[key] ?? 0) + count
    return sum
  }
  return {
    sent: a.sent + b.sent,
    answered: merge(a.answered, b.answered),
    refused: a.refused + b.refused,
    unreachable: a.unreachable + b.unreachable,
    timedOut: a.timedOut + b.timedOut,
    errors: merge(a.errors, b.errors),
  }
}

export const nothing: ProbeCounts = {
  sent: 0,
  answered: {},
  refused: 0,
  unreachable: 0,
  timedOut: 0,
  errors: {},
}
