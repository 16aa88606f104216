import { Command, CommanderError } from 'commander'
import { normalizeArguments } from './arguments.ts'
import { kubeOptions } from './kube-options.ts'
import { agentOptions, fileOptions, instanceOption, outputOption } from './options.ts'
import { version } from './version.ts'

/**
 * The grammar of the command line: `kpng <source> [options] to-<sink> [options]` as KPNG has it, and the
 * commands that look at what an agent has done. Each action is imported when it runs: `--help` loads nothing else.
 */
function program(): Command {
  const kpng = new Command('kpng')
    .description('Kubernetes Service proxy with an eBPF datapath')
    .version(version, '-V, --version', 'print the version')
    .showHelpAfterError('(kpng --help lists the commands)')
    .exitOverride()

  const file = fileOptions(
    kpng
      .command('file')
      .description('source: Services, EndpointSlices and Nodes from files, watched for changes'),
  )
  agentOptions(file.command('to-ebpf').description('sink: this node’s sockets, through BPF maps')).action(
    async (_options, command: Command) => {
      const { runFileAgent } = await import('./agent/agent-command.ts')
      await runFileAgent(command.optsWithGlobals())
    },
  )

  const kube = kubeOptions(
    kpng
      .command('kube')
      .description('source: Services, EndpointSlices, this Node and ServiceCIDRs from an API server'),
  )
  agentOptions(kube.command('to-ebpf').description('sink: this node’s sockets, through BPF maps')).action(
    async (_options, command: Command) => {
      const { runKubeAgent } = await import('./agent/agent-command.ts')
      await runKubeAgent(command.optsWithGlobals())
    },
  )

  const get = kpng.command('get').description('show what is programmed, with the agent alive or dead')
  for (const [what, description] of [
    ['services', 'service ports with their frontends and how many endpoints serve them'],
    ['backends', 'endpoints of each service port: used or not, connections'],
    ['maps', 'the BPF maps as they are in the kernel, one sorted line an entry'],
  ] as const) {
    outputOption(instanceOption(get.command(what).description(description)))
      .option('-n, --namespace <namespace>', 'only Services of this namespace')
      .argument('[service]', 'only this Service: NAME or NAMESPACE/NAME')
      .action(async (service: string | undefined, options) => {
        const { runGet } = await import('./get.ts')
        await runGet(what, service, options)
      })
  }

  outputOption(
    instanceOption(
      kpng
        .command('explain')
        .description('tell what happens to a connection to ADDR:PORT, and why')
        .argument('<destination>', 'ADDR:PORT or ADDR:PORT/PROTO, e.g. 10.96.0.10:53/udp, [fd00::1]:80')
        .option('--from <address>', 'source address: where loadBalancerSourceRanges decide, which one does'),
    ),
  ).action(async (destination: string, options) => {
    const { runExplain } = await import('./explain.ts')
    await runExplain(destination, options)
  })

  instanceOption(
    kpng
      .command('cleanup')
      .description('remove every trace of an instance: links, maps, pins, run directory'),
  )
    .option('--all', 'all instances on this machine')
    .action(async options => {
      const { runCleanup } = await import('./cleanup.ts')
      await runCleanup(options)
    })

  outputOption(
    instanceOption(
      kpng
        .command('doctor')
        .description('tell whether this machine can run the datapath, and what to do if not'),
    ),
  )
    .option('--cgroup-root <dir>', 'the cgroup2 directory that the agent is given')
    .action(async options => {
      const { runDoctor } = await import('./doctor/run-doctor.ts')
      await runDoctor(options)
    })

  kpng
    .command('version')
    .description('print the version')
    .action(() => {
      process.stdout.write(`${version}\n`)
    })
  return kpng
}

/** `kpng lab` brings its own tree of commands, loaded only when asked for. */
async function withLab(kpng: Command, argv: readonly string[]): Promise<Command> {
  if (argv[0] !== 'lab') {
    kpng.command('lab').description('a cluster of network namespaces on this machine (kpng lab --help)')
    return kpng
  }
  const { labCommand } = await import('./lab-command.ts')
  kpng.addCommand(labCommand())
  return kpng
}

/** 0 done, 1 it did not work, 2 the command line is wrong. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const normalized = normalizeArguments(argv)
    const kpng = await withLab(program(), normalized)
    await kpng.parseAsync(normalized, { from: 'user' })
    return typeof process.exitCode === 'number' ? process.exitCode : 0
  } catch (reason) {
    if (reason instanceof CommanderError) return reason.exitCode === 0 ? 0 : 2
    const { describeFailure } = await import('./describe-failure.ts')
    const failure = describeFailure(reason)
    process.stderr.write(failure.text)
    return failure.exitCode
  }
}

// Who reads no further, as `head` does, has what was wanted.
process.stdout.on('error', (reason: NodeJS.ErrnoException) => {
  if (reason.code === 'EPIPE') process.exit(0)
  throw reason
})
process.exitCode = await main(process.argv.slice(2))
