import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestHost } from './agent.ts'

export interface LoadResult {
  readonly ok: number
  readonly failed: Readonly<Record<string, number>>
}

export interface Load extends AsyncDisposable {
  /** Ends the load and gives the counts. */
  finish(): Promise<LoadResult>
}

/**
 * Connects at a rate until it is told to finish; resolves once the first connection has been tried. Runs in the
 * host's cgroup or another.
 */
export async function startLoad(
  host: TestHost,
  address: string,
  port: number,
  ratePerSecond: number,
  cgroup?: string,
): Promise<Load> {
  const script = join(import.meta.dirname, 'load.py')
  const command = ['python3', script, address, `${port}`, `${ratePerSecond}`]
  const [program = '', ...args] = host.wrap(command, cgroup)
  const child = spawn(program, args, { stdio: 'pipe' })
  const output = text(child.stdout)
  const errors = text(child.stderr)
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', code => reject(new Error(`the load ended at once with ${code}`)))
    child.once('error', reject)
  })
  const finish = async (): Promise<LoadResult> => {
    child.stdin.end()
    const lines = (await output).trim().split('\n')
    try {
      return JSON.parse(lines.at(-1) ?? '') as LoadResult
    } catch (reason) {
      throw new Error(`the load said ${lines.join(' ')} ${await errors}`, { cause: reason })
    }
  }
  return {
    finish,
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await output
    },
  }
}
