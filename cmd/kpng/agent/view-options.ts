import type { LocalDetector, LocalViewOptions } from '@kpng/server'
import type { AgentSettings } from './agent-settings.ts'

/** What of an agent's settings the selection of endpoints depends on. */
export function viewOptions(
  settings: Pick<
    AgentSettings,
    'masqueradeAll' | 'externalIPs' | 'bindAddress' | 'localDetector' | 'clusterCIDRs'
  >,
): LocalViewOptions {
  return {
    masqueradeAll: settings.masqueradeAll,
    externalIPs: settings.externalIPs,
    bindAddress: settings.bindAddress,
    localDetector: localDetector(settings),
  }
}

function localDetector({
  localDetector: mode,
  clusterCIDRs,
}: Pick<AgentSettings, 'localDetector' | 'clusterCIDRs'>): LocalDetector | undefined {
  if (mode === undefined) return undefined
  return mode === 'ClusterCIDR' ? { mode, clusterCIDRs } : { mode }
}
