import { writeFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { runCleanup } from '../cleanup.ts'
import { type KubeFlags, kubeWarnings } from '../kube-options.ts'
import type { AgentFlags, FileFlags } from '../options.ts'
import { agentSettings, configurationText } from './agent-settings.ts'
import { fileSource, kubeSource } from './agent-source.ts'
import { runAgent } from './run-agent.ts'

/** `kpng file … to-ebpf`. */
export async function runFileAgent(flags: AgentFlags & FileFlags): Promise<void> {
  if (await didSomethingElse(flags)) return
  await runAgent(agentSettings(flags), fileSource(flags.input ?? []))
}

/** `kpng kube … to-ebpf`. */
export async function runKubeAgent(flags: AgentFlags & KubeFlags): Promise<void> {
  if (await didSomethingElse(flags)) return
  const settings = agentSettings(flags, { ofCluster: true })
  const warnings = [...settings.warnings, ...kubeWarnings(flags)]
  await runAgent({ ...settings, warnings }, kubeSource(flags, settings.clientConnection))
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
    await runCleanup({ instance: flags.instance })
    return true
  }
  return false
}
