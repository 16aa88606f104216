import { KpngError, type Problem } from '@kpng/api'
import { makeCgroup, nodeCgroup, outsideCgroup } from './cgroup.ts'
import { routerSysctls, wireFabric } from './fabric.ts'
import { type IpFailure, IpWork, runIpWork } from './ip-batch.ts'
import { fabricNetns, namespaceExists } from './names.ts'
import { addNamespaces, setSysctls } from './network-namespaces.ts'
import type { Reshaping } from './reshape.ts'
import type { LabState } from './state.ts'

/** Makes the fabric of a new lab: nothing is plugged into it yet. */
export async function weaveFabric(state: LabState): Promise<void> {
  makeCgroup(outsideCgroup(state.cgroup))
  const fabric = fabricNetns(state.name)
  await addNamespaces([fabric])
  await setSysctls([fabric], routerSysctls)
  const work = new IpWork()
  wireFabric(work, state.name)
  throwFirst(await runIpWork(work))
}

/** Does in the kernel what `reshape` found. Gives what could not be done for a single address. */
export async function weave(state: LabState, reshaping: Reshaping): Promise<Problem[]> {
  for (const name of Object.keys(state.nodes)) makeCgroup(nodeCgroup(state.cgroup, name))
  await addNamespaces([...reshaping.routers, ...reshaping.hosts].filter(name => !namespaceExists(name)))
  await setSysctls(reshaping.routers, routerSysctls)
  const failures = [...(await runIpWork(reshaping.unplug)), ...(await runIpWork(reshaping.plug))]
  throwFirst(failures.filter(failure => failure.owner.startsWith('node') && /^link add/.test(failure.text)))
  return failures.map(({ owner, text, error }) => ({
    where: owner,
    field: '',
    message: `ip ${text}: ${error}`,
  }))
}

function throwFirst(failures: readonly IpFailure[]): void {
  const [first] = failures
  if (first !== undefined) throw new KpngError('kernel', `${first.owner}: ip ${first.text}: ${first.error}`)
}
