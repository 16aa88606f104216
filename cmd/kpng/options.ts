import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  agentFields,
  leastEntries,
  logLevels,
  mostEntries,
  socketRecords,
} from './agent/configuration/agent-fields.ts'
import {
  type FlagGroup,
  type ProxyFlag,
  type ProxyFlags,
  proxyFlags,
} from './agent/configuration/proxy-flags.ts'

const append = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
]

const commaList = (value: string, previous: string | undefined): string =>
  previous === undefined ? value : `${previous},${value}`

const wholeNumber =
  (least: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!Number.isSafeInteger(number) || number < least || number > mostEntries)
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${mostEntries}`)
    return number
  }

const entries = wholeNumber(leastEntries)

/** The path of a unix socket has 107 bytes at most, /run/kpng/<instance>/status.sock. */
const maxInstanceLength = 80

/** An instance names directories below /sys/fs/bpf/kpng and /run/kpng, where `lab` is that of the labs. */
export function instanceName(value: string): string {
  if (value.length > maxInstanceLength || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value))
    throw new InvalidArgumentError(
      `must be 1 to ${maxInstanceLength} of a-z 0-9 . - and begin and end with a letter or digit`,
    )
  if (value === 'lab') throw new InvalidArgumentError('lab is where kpng lab keeps its own')
  return value
}

export function instanceOption(command: Command): Command {
  return command.option('--instance <name>', 'which agent on this machine', instanceName, 'default')
}

export function outputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'table for people, json or yaml for programs')
      .choices(['table', 'json', 'yaml'])
      .default('table'),
  )
}

export function fileOptions(command: Command): Command {
  return command.option('-i, --input <path>', 'file or directory of manifests; may be repeated', append)
}

export interface FileFlags {
  readonly input?: readonly string[]
}

/**
 * What `to-ebpf` takes from every source. Names: kube-proxy's where it has one, else KPNG's. No option has a default of
 * its own: a flag that is given wins over the configuration file.
 */
export function agentOptions(command: Command): Command {
  const kubeProxy = (group: FlagGroup): void => {
    for (const flag of proxyFlags as readonly ProxyFlag[])
      if (flag.group === group) command.addOption(proxyOption(flag))
  }
  command.optionsGroup('Agent:')
  instanceOption(command)
    .option('--config <file>', 'a KubeProxyConfiguration or AgentConfiguration; flags win over it')
    .option('--write-config-to <file>', 'write the configuration that results, and exit')
    .option('--init-only', 'prepare the machine: load the programs, pin the maps, and exit')
    .option('--cleanup', 'remove every trace of the instance, and exit')
    .optionsGroup('Node:')
    .option('--node-name <name>', 'the node whose view is served (default: the host name, lower case)')
  kubeProxy('Node')
  command
    .optionsGroup('Datapath:')
    .option('--cgroup-root <dir>', 'cgroup2 directory whose sockets are served (default: the mount root)')
    .addOption(
      new Option(
        '--socket-record <which>',
        'sockets that remember their Service: udp only, or all, which is the default (getpeername)',
      ).choices(socketRecords),
    )
    .option('--protect-node-ports', 'binding a NodePort on this node fails with EADDRINUSE')
    .option('--max-service-ports <n>', `Service ports that fit (default: ${sizes.maxServicePorts})`, entries)
    .option(
      '--max-frontends <n>',
      `address, port and protocol triples that fit, per family (default: ${sizes.maxFrontends})`,
      entries,
    )
    .option('--max-endpoints <n>', `endpoints that fit, per family (default: ${sizes.maxEndpoints})`, entries)
    .optionsGroup('NodePorts and masquerading:')
  kubeProxy('NodePorts and masquerading')
  command.optionsGroup('Health, metrics and log:')
  kubeProxy('Health, metrics and log')
  command
    .option(
      '--max-service-series <n>',
      `Services with metrics of their own, 0 for none (default: ${agentFields.maxServiceSeries.default})`,
      wholeNumber(0),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe messages to log (default: as -v says)').choices(
        logLevels,
      ),
    )
    .optionsGroup('API server:')
  kubeProxy('API server')
  command.optionsGroup('Connection tracking, set only where given:')
  kubeProxy('Connection tracking')
  const others = (proxyFlags as readonly ProxyFlag[]).filter(flag => flag.group === undefined)
  for (const flag of others) command.addOption(proxyOption(flag).hideHelp())
  return command.configureHelp({ showGlobalOptions: true }).addHelpText('after', () => {
    const names = wrap(others.map(({ name }) => `--${name}`).join(' '), 96, '  ')
    return `\nTaken for kube-proxy’s sake, each with a warning why it has no effect here:\n${names}\n\nEvery flag and field: docs/configuration.md`
  })
}

function proxyOption({ name, value, help, list }: ProxyFlag): Option {
  const short = name === 'v' ? '-v, ' : ''
  const option = new Option(`${short}--${name} ${value ?? '[true|false]'}`, help)
  return list === true ? option.argParser(commaList) : option
}

function wrap(text: string, width: number, indent: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map(line => `${indent}${line}`).join('\n')
}

const sizes = {
  maxServicePorts: agentFields.maxServicePorts.default,
  maxFrontends: agentFields.maxFrontends.default,
  maxEndpoints: agentFields.maxEndpoints.default,
}

/** What the options above parse into, commander's camel case; absent: not given. */
export interface AgentFlags extends ProxyFlags {
  readonly instance: string
  readonly config?: string
  readonly writeConfigTo?: string
  readonly initOnly?: boolean
  readonly cleanup?: boolean
  readonly nodeName?: string
  readonly cgroupRoot?: string
  readonly socketRecord?: (typeof socketRecords)[number]
  readonly protectNodePorts?: boolean
  readonly maxServicePorts?: number
  readonly maxFrontends?: number
  readonly maxEndpoints?: number
  readonly maxServiceSeries?: number
  readonly logLevel?: (typeof logLevels)[number]
}

export interface OutputFlags {
  readonly instance: string
  readonly output: 'table' | 'json' | 'yaml'
}
