import { readdirSync, readFileSync } from 'node:fs'

const clockTicksPerSecond = 100

/** Seconds of CPU that a process and the children that it has waited for have used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The command's name, in parentheses, may hold anything: fields count from its end, the first being the third.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number)
  return ((utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0)) / clockTicksPerSecond
}

export interface Memory {
  readonly residentMiB: number
  /** The most it has ever been. */
  readonly peakMiB: number
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (field: string): number =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? Number.NaN) / 1024)
  return { residentMiB: mebibytes('VmRSS'), peakMiB: mebibytes('VmHWM') }
}

/** Looks at the children of a process every so often: the most memory that one of them had. */
export class ChildrenPeak implements Disposable {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  mebibytes = 0

  constructor(pid: number, intervalMs = 100) {
    this.#pid = pid
    this.#timer = setInterval(() => this.#look(), intervalMs)
  }

  #look(): void {
    try {
      for (const task of readdirSync(`/proc/${this.#pid}/task`)) {
        const children = readFileSync(`/proc/${this.#pid}/task/${task}/children`, 'utf8').trim()
        for (const child of children === '' ? [] : children.split(' '))
          this.mebibytes = Math.max(this.mebibytes, memory(Number(child)).peakMiB || 0)
      }
    } catch {
      // Ended meanwhile.
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
