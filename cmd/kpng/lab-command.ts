import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import {
  become,
  checkLabName,
  type LabReport,
  labApply,
  labDown,
  labUp,
  listLabs,
  openLabApi,
  type ProbeResult,
  parseTarget,
  parseWho,
  probe,
  realAgents,
  resolveWho,
} from '@kpng/lab'
import { Command, InvalidArgumentError, Option } from 'commander'
import { formatTable, printValue } from './output.ts'

const agents = realAgents([join(import.meta.dirname, '../../bin/kpng')])
const whoHelp = 'node/NAME[/SOURCE-IP], pod/IP or client/IP'

interface ApplyFlags {
  readonly name: string
  readonly state: string
  readonly strict: boolean
}

interface UpFlags extends ApplyFlags {
  readonly config?: string
  readonly source: 'file' | 'kube'
}

interface WhoFlags {
  readonly name: string
  readonly on?: string
  readonly via?: string
}

interface ProbeFlags extends WhoFlags {
  readonly from: string
  readonly to: string
  readonly count: number
  readonly timeoutMs: number
  readonly output: 'table' | 'json'
}

/** `kpng lab …`: exit codes 0 done, 1 it did not work, 2 the command line is wrong; `exec`: the command's own. */
export function labCommand(): Command {
  const lab = new Command('lab').description('a cluster of network namespaces on this machine').exitOverride()

  const up = manifestOptions(lab.command('up'))
    .description('make a lab from manifests, with an agent on every node; one of that name is replaced')
    .option('--config <file>', 'a KubeProxyConfiguration for the agents')
    .addOption(
      new Option('--source <source>', 'what the agents follow: files, or a real API server that is told them')
        .choices(['file', 'kube'])
        .default('file'),
    )
  up.action(async ({ name, state, config, strict, source }: UpFlags) => {
    const startedAt = performance.now()
    const onProgress = (line: string): void => {
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
      process.stdout.write(`lab ${name}: ${line} (${seconds} s)\n`)
    }
    const options = { name, state, source, agents, onProgress, ...(config !== undefined && { config }) }
    tell(await labUp(options), strict)
    if (source === 'kube')
      process.stdout.write(
        `lab ${name}: kpng lab kubectl --name ${name} -- get services,endpointslices,nodes -A\n`,
      )
  })

  manifestOptions(lab.command('apply'))
    .description('replace the manifests; returns when every agent has synced them')
    .action(async ({ name, state, strict }: ApplyFlags) => {
      tell(await labApply({ name, state, agents }), strict)
    })

  nameOption(lab.command('kubectl'))
    .description('run kubectl as administrator of a lab that has an API server')
    .usage('--name <lab> -- <arguments...>')
    .argument('<arguments...>', 'of kubectl, after --')
    .action((words: string[], { name }: { name: string }) => {
      const plane = openLabApi(name)
      become(plane.place, plane.kubectlArgv(words))
    })

  whoOptions(lab.command('exec'))
    .description('run a command as somebody in the lab, with the files of this machine')
    .usage('--name <lab> [--on <node>] [--via <node>] <who> -- <command> [args...]')
    .argument('<who>', whoHelp)
    .argument('<command...>', 'what to run, after --')
    .action(async (who: string, command: string[], flags: WhoFlags) => {
      become(await resolveWho(flags.name, parseWho(who), whoOnly(flags)), command)
    })

  whoOptions(lab.command('probe'))
    .description('try to reach an address with real sockets, and tell who answered')
    .requiredOption('--from <who>', whoHelp)
    .requiredOption('--to <addr:port>', 'ADDR:PORT, ADDR:PORT/tcp or ADDR:PORT/udp; IPv6 as [ADDR]:PORT')
    .option('--count <n>', 'tries, each with a new socket, one at a time', wholeNumber(1), 1)
    .option('--timeout-ms <ms>', 'how long one try may take', wholeNumber(1), 1_000)
    .addOption(
      new Option('-o, --output <format>', 'table for people, json for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .action(async ({ from, to, count, timeoutMs, output, ...flags }: ProbeFlags) => {
      const options = { ...whoOnly(flags), count, timeoutMs }
      const result = await probe(flags.name, parseWho(from), parseTarget(to), options)
      if (output === 'json') process.stdout.write(`${JSON.stringify(result)}\n`)
      else process.stdout.write(describeProbe(result))
    })

  lab
    .command('ls')
    .description('list the labs of this machine')
    .option('--name <lab>', 'only this one', labName)
    .addOption(
      new Option('-o, --output <format>', 'table for people, json or yaml for programs')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .action(async ({ name, output }: { name?: string; output: 'table' | 'json' | 'yaml' }) => {
      const labs = listLabs(name)
      if (output !== 'table') await printValue(output, labs)
      else
        process.stdout.write(
          formatTable(
            ['NAME', 'STATUS', 'NODES', 'PODS', 'CLIENTS', 'MANIFESTS'],
            labs.map(one => [
              one.name,
              one.status,
              `${one.nodes.length}`,
              `${one.pods.length}`,
              `${one.clients.length}`,
              one.source,
            ]),
          ),
        )
    })

  nameOption(lab.command('down'))
    .description('remove a lab: processes, namespaces, cgroups, what its agents pinned')
    .action(async ({ name }: { name: string }) => {
      if (!(await labDown(name))) process.stderr.write(`kpng: there is no lab ${name}\n`)
    })
  return lab
}

const nameOption = (command: Command): Command =>
  command.requiredOption('--name <lab>', 'which lab: a-z 0-9 -, at most 48', labName)

const manifestOptions = (command: Command): Command =>
  nameOption(command)
    .requiredOption('--state <dir>', 'Services, EndpointSlices and Nodes: *.yaml, *.yml, *.json')
    .option('--strict', 'exit 1 where an object is bad', false)

const whoOptions = (command: Command): Command =>
  nameOption(command)
    .option('--on <node>', 'where a pod that no EndpointSlice names is made')
    .option('--via <node>', 'the node that a client routes everything through')

const whoOnly = ({ on, via }: WhoFlags): { on?: string; via?: string } => ({
  ...(on !== undefined && { on }),
  ...(via !== undefined && { via }),
})

/** A usage error of ours is one of commander's here, so that it names the option. */
function labName(value: string): string {
  try {
    return checkLabName(value)
  } catch (reason) {
    throw new InvalidArgumentError(KpngError.from(reason).message)
  }
}

const wholeNumber =
  (least: number) =>
  (value: string): number => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (!Number.isSafeInteger(number) || number < least || number > 2_000_000_000)
      throw new InvalidArgumentError(`must be a whole number, ${least} or more`)
    return number
  }

const mostTold = 100

function tell({ problems, notes }: LabReport, strict: boolean): void {
  const all = [...problems, ...notes]
  const lines = all.slice(0, mostTold).map(describeProblem)
  if (all.length > mostTold) lines.push(`and ${all.length - mostTold} more`)
  process.stderr.write(lines.map(line => `kpng: ${line}\n`).join(''))
  if (strict && problems.length > 0) process.exitCode = 1
}

const describeProblem = ({ where, field, message }: Problem): string =>
  [where, field, message].filter(part => part !== '').join(': ')

const byAddress = ([a]: readonly [string, number], [b]: readonly [string, number]): number =>
  a.localeCompare(b, 'en', { numeric: true })

function describeProbe(result: ProbeResult): string {
  const rows = [
    ...Object.entries(result.answered).sort(byAddress),
    ['refused', result.refused] as const,
    ['unreachable', result.unreachable] as const,
    ['timed out', result.timedOut] as const,
    ...Object.entries(result.errors).sort(),
  ].filter(([, count]) => count > 0)
  const share = (count: number): string => `${((100 * count) / result.sent).toFixed(1)}%`
  const table = formatTable(
    ['ANSWER', 'COUNT', 'SHARE'],
    rows.map(([answer, count]) => [answer, `${count}`, share(count)]),
  )
  const sources = Object.keys(result.sources).sort().join(', ')
  return `${table}${result.sent} sent${sources === '' ? '' : `, seen as ${sources}`}\n`
}
