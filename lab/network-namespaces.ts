import { readdirSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { type IpFailure, IpWork, runIpWork, type Sysctls, sysctlScript } from './ip-batch.ts'
import { labOfNetns, namespaceExists, netnsPath } from './names.ts'
import { mapLimit, runCommand } from './run-command.ts'

/** Throws kernel when one cannot be made. */
export async function addNamespaces(names: readonly string[]): Promise<void> {
  const work = new IpWork()
  work.host.push(...names.map(name => ({ owner: name, text: `netns add ${name}` })))
  const [failure] = await runIpWork(work)
  if (failure !== undefined) throw describe(failure)
}

/** Those that are gone already do not matter. */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  const work = new IpWork()
  for (const name of names)
    if (namespaceExists(name)) work.host.push({ owner: name, text: `netns del ${name}` })
  const failures = await runIpWork(work)
  const left = failures.find(failure => namespaceExists(failure.owner))
  if (left !== undefined) throw describe(left)
}

const describe = (failure: IpFailure): KpngError =>
  new KpngError('kernel', `ip ${failure.text}: ${failure.error}`)

/** All namespaces of a lab, whether its state knows them or not. */
export function namespacesOf(lab: string): string[] {
  try {
    return readdirSync(netnsPath('')).filter(name => labOfNetns(name) === lab)
  } catch {
    return []
  }
}

/** Sets them inside the namespaces and nowhere else. Throws kernel. */
export async function setSysctls(names: readonly string[], sysctls: Sysctls): Promise<void> {
  await mapLimit(names, 2, async name => {
    const enter = ['nsenter', `--net=${netnsPath(name)}`, '--', 'sh', '-eu']
    const { exitCode, stderr } = await runCommand(enter, { input: sysctlScript(sysctls) })
    if (exitCode !== 0) throw new KpngError('kernel', `sysctls of ${name}: ${stderr.trim()}`)
  })
}
