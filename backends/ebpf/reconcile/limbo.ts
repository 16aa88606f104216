import type { LimboId } from '../plan/ids.ts'
import type { ReconcilerHooks } from './hooks.ts'
import type { Slicer } from './slicer.ts'
import type { Tables } from './tables.ts'

/**
 * Frees ids that nobody remembers: not before running programs have ended, no socket record holds them and no
 * client has affinity to them. Affinity entries to backends in limbo are deleted, for they can't be used.
 */
export async function releaseLimbo(tables: Tables, hooks: ReconcilerHooks, slicer: Slicer): Promise<boolean> {
  const { backendIds, portIds } = tables
  const backends = backendIds.limbo()
  const ports = portIds.limbo()
  if (backends.length + ports.length === 0) return false
  await hooks.grace()
  const inUse = await hooks.idsInUse()
  const unused = (candidates: readonly LimboId[], used: ReadonlySet<number>): Map<number, LimboId> =>
    new Map(candidates.filter(({ id }) => !used.has(id)).map(limbo => [limbo.id, limbo]))
  const freeBackends = unused(backends, inUse.backends)
  const freePorts = unused(ports, inUse.servicePorts)
  await clearAffinity(tables, freeBackends, freePorts, slicer)

  const freed = { backends: [] as number[], servicePorts: [] as number[] }
  for (const { id, stay } of freeBackends.values()) if (backendIds.free(id, stay)) freed.backends.push(id)
  // A membership in limbo is known by its service port's id: that one stays until the last of them is free.
  const holding = new Set<string>()
  for (const { key } of backendIds.limbo()) if (key !== undefined) holding.add(key.slice(0, key.indexOf(' ')))
  for (const { id, stay } of freePorts.values()) {
    if (holding.has(String(id)) || !portIds.isInLimbo(id, stay)) continue
    tables.names.delete(id)
    if (portIds.free(id, stay)) freed.servicePorts.push(id)
  }
  hooks.idsFreed?.(freed)
  return freed.backends.length + freed.servicePorts.length > 0
}

/** Deletes affinity entries to ids that are about to be free; an id whose entry stays is kept back. */
async function clearAffinity(
  tables: Tables,
  backends: Map<number, LimboId>,
  ports: Map<number, LimboId>,
  slicer: Slicer,
): Promise<void> {
  const { affinity } = tables.maps
  const { backendIds, portIds } = tables
  const found: { key: Parameters<typeof affinity.lookup>[0]; backend: number }[] = []
  for (const [key, value] of affinity.entries()) {
    if (backends.has(value.backend) || ports.has(key.servicePort)) found.push({ key, backend: value.backend })
    if (slicer.over) await slicer.breathe()
  }
  for (const { key, backend } of found) {
    const limbo = backends.get(backend) ?? ports.get(key.servicePort)
    const table = backends.has(backend) ? backendIds : portIds
    // It may have returned, or the client may have got another backend meanwhile: then the entry is good.
    if (
      limbo !== undefined &&
      table.isInLimbo(limbo.id, limbo.stay) &&
      affinity.lookup(key)?.backend === backend
    )
      affinity.delete(key)
    if (slicer.over) await slicer.breathe()
  }
}
