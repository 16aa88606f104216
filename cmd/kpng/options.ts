import { type Command, InvalidArgumentError, Option } from 'commander'

const append = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
]

const commaList = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  ...value.split(',').map(word => word.trim()),
]

/** Sizes of maps are derived by multiplying with at most 4, and must stay below 2^32. */
const mostEntries = 2 ** 26

const positive =
  (least: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!Number.isSafeInteger(number) || number < least || number > mostEntries)
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${mostEntries}`)
    return number
  }

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

/** What `to-ebpf` takes from every source. Names: kube-proxy's where it has one, else KPNG's. */
export function agentOptions(command: Command): Command {
  return instanceOption(command)
    .option('--node-name <name>', 'the node whose view is served (default: the host name, lower case)')
    .option('--hostname-override <name>', 'the same, by kube-proxy’s name')
    .option('--config <file>', 'a KubeProxyConfiguration; flags win over it')
    .option('--cgroup-root <dir>', 'cgroup2 directory whose sockets are served (default: the mount root)')
    .option(
      '--nodeport-addresses <cidrs>',
      'CIDRs of node addresses that serve NodePorts, or primary',
      commaList,
    )
    .option('--healthz-bind-address <ip:port>', 'where /healthz and /livez are served; empty: nowhere')
    .option('--metrics-bind-address <ip:port>', 'where /metrics is served; empty: nowhere')
    .addOption(
      new Option(
        '--socket-record <which>',
        'sockets that remember their Service: udp only, or all (getpeername)',
      )
        .choices(['all', 'udp'])
        .default('all'),
    )
    .option('--protect-node-ports', 'binding a NodePort on this node fails with EADDRINUSE', false)
    .option('--max-service-ports <n>', 'Service ports that fit', positive(16), 65_536)
    .option(
      '--max-frontends <n>',
      'address, port and protocol triples that fit, per family',
      positive(16),
      262_144,
    )
    .option('--max-endpoints <n>', 'endpoints that fit, per family', positive(16), 131_072)
    .addOption(
      new Option('--log-level <level>', 'least severe messages to log')
        .choices(['trace', 'debug', 'info', 'warn', 'error'])
        .default('info'),
    )
}

/** What the options above parse into, commander's camel case. */
export interface AgentFlags {
  readonly instance: string
  readonly nodeName?: string
  readonly hostnameOverride?: string
  readonly config?: string
  readonly cgroupRoot?: string
  readonly nodeportAddresses?: readonly string[]
  readonly healthzBindAddress?: string
  readonly metricsBindAddress?: string
  readonly socketRecord: 'all' | 'udp'
  readonly protectNodePorts: boolean
  readonly maxServicePorts: number
  readonly maxFrontends: number
  readonly maxEndpoints: number
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error'
}

export interface OutputFlags {
  readonly instance: string
  readonly output: 'table' | 'json' | 'yaml'
}
