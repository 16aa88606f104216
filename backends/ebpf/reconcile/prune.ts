import type { ServiceState } from './state.ts'
import type { Tables } from './tables.ts'

/**
 * Takes away what is in the kernel and belongs to nobody: left by a former agent, or found by verification. What
 * somebody claims is left to them; they are given.
 */
export function prune(tables: Tables): Set<ServiceState> {
  const { frontends, lists, names, sources, claims } = tables
  const heirs = new Set<ServiceState>()
  for (const [key, { port }] of frontends.entries) {
    if (port !== undefined) continue
    const winner = claims.winner(key)
    if (winner === undefined) frontends.remove(key)
    else heirs.add(tables.service(winner.service))
  }
  for (const list of [...lists.lists.values()])
    if (list.port === undefined && list.refs === 0) lists.retire(list)
  frontends.removeStrange()
  names.removeStrange()
  sources.removeStrange()
  return heirs
}
