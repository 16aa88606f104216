import { writeFileSync } from 'node:fs'

/** Sets how readily the kernel kills this process when memory is short; undefined when that is done, else why not. */
export function setOomScoreAdj(value: number, path = '/proc/self/oom_score_adj'): string | undefined {
  try {
    writeFileSync(path, String(value))
    return undefined
  } catch (reason) {
    return reason instanceof Error ? reason.message : String(reason)
  }
}
