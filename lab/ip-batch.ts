import { KpngError } from '@kpng/api'
import { netnsPath } from './names.ts'
import { mapLimit, runCommand } from './run-command.ts'

/** One line for `ip -batch`, and whom it is for: what fails is told about him. */
export interface IpLine {
  readonly owner: string
  readonly text: string
}

export interface IpFailure extends IpLine {
  readonly error: string
}

/** `net.ipv4.ip_forward` and the like. */
export type Sysctls = Readonly<Record<string, string>>

/** Lines of work: first those of the host's namespace in order, then each namespace its own. */
export class IpWork {
  readonly host: IpLine[] = []
  readonly inside = new Map<string, IpLine[]>()
  /** Set inside a namespace before its lines. */
  readonly sysctls = new Map<string, Sysctls>()

  within(netns: string): IpLine[] {
    let lines = this.inside.get(netns)
    if (lines === undefined) {
      lines = []
      this.inside.set(netns, lines)
    }
    return lines
  }
}

/** Does all that can be done and gives the lines that failed. */
export async function runIpWork(work: IpWork): Promise<IpFailure[]> {
  const failures = await runIpBatch(work.host)
  const inside = await mapLimit([...work.inside], 3, ([netns, lines]) =>
    runIpBatch(lines, { netns, sysctls: work.sysctls.get(netns) ?? {} }),
  )
  return failures.concat(...inside)
}

/** One `ip` process for all the lines; in the host's namespace unless another is named. */
async function runIpBatch(
  lines: readonly IpLine[],
  inside?: { readonly netns: string; readonly sysctls: Sysctls },
): Promise<IpFailure[]> {
  if (lines.length === 0) return []
  const enter =
    inside === undefined
      ? []
      : [
          'nsenter',
          `--net=${netnsPath(inside.netns)}`,
          '--',
          'sh',
          '-euc',
          `${sysctlScript(inside.sysctls)}exec "$@"`,
          'sh',
        ]
  const input = lines.map(line => `${line.text}\n`).join('')
  const result = await runCommand([...enter, 'ip', '-force', '-batch', '-'], { input })
  if (result.exitCode === 0) return []
  const failures = failedLines(result.stderr).flatMap(({ line, error }) => {
    const failed = lines[line - 1]
    return failed === undefined ? [] : [{ ...failed, error }]
  })
  if (failures.length === 0)
    throw new KpngError('kernel', `ip in ${inside?.netns ?? 'the host'}: ${result.stderr.trim()}`)
  return failures
}

/** iproute2 says what is wrong, then `Command failed -:LINE`. */
export function failedLines(stderr: string): Array<{ line: number; error: string }> {
  const failed: Array<{ line: number; error: string }> = []
  let said: string[] = []
  for (const text of stderr.split('\n')) {
    const match = /^Command failed -:(\d+)$/.exec(text)
    if (match === null) {
      if (text.trim() !== '') said.push(text.trim())
      continue
    }
    failed.push({ line: Number(match[1]), error: said.join(' ').replace(/^RTNETLINK answers: /, '') })
    said = []
  }
  return failed
}

/** A shell script that sets them in the namespace that it runs in. */
export const sysctlScript = (sysctls: Sysctls): string =>
  Object.entries(sysctls)
    .map(([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}\n`)
    .join('')
