import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setOomScoreAdj } from './oom-score.ts'

test('[KP-10.3.1] oom_score_adj of the process is set', () => {
  // In a process of its own: what is raised, only root may lower again.
  const script = `
    import { readFileSync } from 'node:fs'
    import { setOomScoreAdj } from ${JSON.stringify(join(import.meta.dirname, 'oom-score.ts'))}
    process.stdout.write(setOomScoreAdj(321) ?? readFileSync('/proc/self/oom_score_adj', 'utf8'))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  assert.equal(stdout.toString().trim(), '321', stderr.toString())
})

test('[KP-10.3.1] a failure is told, not thrown', () => {
  assert.match(setOomScoreAdj(0, '/nonexistent/oom_score_adj') ?? '', /ENOENT/)
})
