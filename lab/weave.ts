import { KpngError, type Problem } from '@kpng/api'
import { makeCgroup, nodeCgroup, outsideCgroup } from './cgroup.ts'
import { routerSysctls, wireFabric } from './fabric.ts'
import { type IpFailure, IpWork, runIpWork } from './ip-batch.ts'
import { fabricNetns, namespaceExists, netnsPath } from './names.ts'
import { addNamespaces, setSysctls } from './network-namespaces.ts'
import { runCommand } from './run-command.ts'
import { type LabState, saveState } from './state.ts'
import { markWired, planWiring, type Wiring } from './wiring.ts'

/** Makes the fabric of a new lab: nothing is plugged into it yet. Throws kernel. */
export async function weaveFabric(state: LabState): Promise<void> {
  makeCgroup(outsideCgroup(state.cgroup))
  const fabric = fabricNetns(state.name)
  await addNamespaces([fabric])
  await setSysctls([fabric], routerSysctls)
  const work = new IpWork()
  wireFabric(work, state.name)
  const [failure] = await runIpWork(work)
  if (failure !== undefined) throw new KpngError('kernel', describeIpFailure(failure))
}

/**
 * Makes in the kernel what the state says and is not there yet; writes the state ahead. Gives what failed for single
 * addresses: such a host is tried again the next time. Throws kernel where a namespace or a node cannot be made.
 */
export async function weave(state: LabState): Promise<IpFailure[]> {
  const wiring = planWiring(state)
  saveState(state)
  for (const name of Object.keys(state.nodes)) makeCgroup(nodeCgroup(state.cgroup, name))
  await addNamespaces([...wiring.routers, ...wiring.hosts].filter(name => !namespaceExists(name)))
  await setSysctls(wiring.routers, routerSysctls)
  await runIpWork(wiring.unplug)
  const failures = [...(await runIpWork(wiring.plug)), ...(await addRules(state.name, wiring))]
  const fatal = failures.find(({ owner, text }) => owner.startsWith('node ') && text.startsWith('link add'))
  if (fatal !== undefined) throw new KpngError('kernel', describeIpFailure(fatal))
  markWired(state, new Set(failures.map(failure => failure.owner)))
  saveState(state)
  return failures
}

/** `ip -batch` knows no way to say which family a rule is of. */
async function addRules(lab: string, { rules }: Wiring): Promise<IpFailure[]> {
  const failures: IpFailure[] = []
  for (const { owner, args } of rules)
    for (const family of ['-4', '-6']) {
      const fabric = `--net=${netnsPath(fabricNetns(lab))}`
      const { exitCode, stderr } = await runCommand(['nsenter', fabric, '--', 'ip', family, ...args])
      if (exitCode !== 0) failures.push({ owner, text: args.join(' '), error: stderr.trim() })
    }
  return failures
}

export const describeIpFailure = ({ owner, text, error }: IpFailure): string =>
  `${owner}: ip ${text}: ${error}`

export const ipProblem = ({ owner, text, error }: IpFailure): Problem => ({
  where: owner,
  field: '',
  message: `ip ${text}: ${error}`,
})
