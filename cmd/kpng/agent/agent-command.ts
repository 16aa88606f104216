import { writeFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { type KubeFlags, kubeWarnings } from '../kube-options.ts'
import type { AgentFlags, FileFlags } from '../options.ts'
import { type AgentSettings, agentSettings, configurationText } from './agent-settings.ts'
import { fileSource, kubeSource, type OpenSource } from './agent-source.ts'
import { Intake } from './intake.ts'

/** `kpng file … to-ebpf`. */
export async function runFileAgent(flags: AgentFlags & FileFlags): Promise<void> {
  if (await didSomethingElse(flags)) return
  await run(agentSettings(flags), fileSource(flags.input ?? []))
}

/** `kpng kube … to-ebpf`. */
export async function runKubeAgent(flags: AgentFlags & KubeFlags): Promise<void> {
  if (await didSomethingElse(flags)) return
  const settings = agentSettings(flags, { ofCluster: true })
  const warnings = [...settings.warnings, ...kubeWarnings(flags)]
  await run({ ...settings, warnings }, kubeSource(flags, settings.clientConnection))
}

async function run(settings: AgentSettings, openSource: OpenSource): Promise<void> {
  await using intake = new Intake(openSource, settings.nodeName)
  // A server makes its first lists ready meanwhile.
  const { runAgent } = await import('./run-agent.ts')
  await runAgent(settings, intake)
}

/** kube-proxy's flags that say what to do instead of running. */
async function didSomethingElse(flags: AgentFlags): Promise<boolean> {
  if (flags.writeConfigTo !== undefined) {
    const text = configurationText(flags)
    try {
      writeFileSync(flags.writeConfigTo, text)
    } catch (reason) {
      throw new KpngError('io', `the configuration could not be written to ${flags.writeConfigTo}`, {
        cause: reason,
      })
    }
    return true
  }
  if (flags.cleanup === true) {
    const { runCleanup } = await import('../cleanup.ts')
    await runCleanup({ instance: flags.instance })
    return true
  }
  return false
}
