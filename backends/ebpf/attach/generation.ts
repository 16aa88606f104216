import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BpfMap, EbpfError, openPinnedMap, openProgramById } from '@kpng/ebpf'
import { attachedProgram } from './links.ts'
import { type DerivedMap, derivedMaps, laterMaps, type MapLayouts, type PinnedMap } from './map-set.ts'
import { generationPath, pinnedGenerations } from './pin-paths.ts'

/** The derived maps of one generation, all open. Owned by whoever opened them. Of an older version some may lack. */
export interface Generation {
  readonly number: number
  readonly maps: ReadonlyMap<DerivedMap, BpfMap>
}

/** Opens a pinned map; undefined where there is none. */
export function openPin(resources: DisposableStack, directory: string, name: PinnedMap): BpfMap | undefined {
  try {
    return resources.use(openPinnedMap(join(directory, name)))
  } catch (reason) {
    if (reason instanceof EbpfError && reason.code === 'NOT_FOUND') return undefined
    throw reason
  }
}

/** An agent that swaps its programs meanwhile takes what was found away: looked for again this often. */
const MAX_ATTEMPTS = 4

/**
 * The generation that the attached programs look into; where nothing is attached the newest whole one; undefined
 * where there is none. Half-made ones are not whole: an agent died while it made them. Nothing else stays open.
 */
export function currentGeneration(instance: string, resources: DisposableStack): Generation | undefined {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const number = currentNumber(instance)
    if (number === undefined) return undefined
    const generation = openGeneration(instance, number, resources)
    if (generation !== undefined) return generation
  }
  return undefined
}

function currentNumber(instance: string): number | undefined {
  const whole = pinnedGenerations(instance).filter(number =>
    derivedMaps.every(
      name => laterMaps.has(name) || existsSync(join(generationPath(instance, number), name)),
    ),
  )
  const ids = attachedMapIds(instance)
  const isAttached = (number: number): boolean => {
    using resources = new DisposableStack()
    return ids.has(openPin(resources, generationPath(instance, number), 'svc4')?.info.id ?? 0)
  }
  return whole.find(isAttached) ?? whole.at(-1)
}

/** Of the maps that the attached programs look into. */
function attachedMapIds(instance: string): ReadonlySet<number> {
  const attached = attachedProgram(instance, 'connect4')
  if (attached === undefined) return new Set()
  try {
    using program = openProgramById(attached)
    return new Set(program.info().mapIds)
  } catch (reason) {
    // Replaced since the link was asked.
    if (reason instanceof EbpfError && reason.code === 'NOT_FOUND') return new Set()
    throw reason
  }
}

function openGeneration(
  instance: string,
  number: number,
  resources: DisposableStack,
): Generation | undefined {
  using opened = new DisposableStack()
  const maps = new Map<DerivedMap, BpfMap>()
  for (const name of derivedMaps) {
    const map = openPin(opened, generationPath(instance, number), name)
    if (map !== undefined) maps.set(name, map)
    else if (!laterMaps.has(name)) return undefined
  }
  resources.use(opened.move())
  return { number, maps }
}

/**
 * Does a generation mean by its fields what this version does? Where it does not, nothing can be taken over from it.
 * One that was made without BTF does not say.
 */
export function isUnderstood(generation: Generation, layouts: MapLayouts): boolean {
  const maps = [...generation.maps.values()]
  return maps.every(({ info }) => layouts.versionsOf(info.btfId)?.layout === layouts.own.layout)
}

/** Why a generation cannot be gone on with: another layout or another size. undefined: it can. */
export function generationMismatch(
  generation: Generation,
  layouts: MapLayouts,
  entries: Readonly<Partial<Record<PinnedMap, number>>>,
): string | undefined {
  const lacking = derivedMaps.find(name => !generation.maps.has(name))
  if (lacking !== undefined) return `generation ${generation.number} lacks map ${lacking}`
  if (!isUnderstood(generation, layouts))
    return `generation ${generation.number} is not of layout version ${layouts.own.layout}`
  try {
    for (const [name, map] of generation.maps)
      layouts.check(`map ${name} of generation ${generation.number}`, map, name, entries[name])
    return undefined
  } catch (reason) {
    if (reason instanceof EbpfError && reason.code === 'LAYOUT') return reason.message
    throw reason
  }
}

/** Takes the pins of all generations but one away. Maps live on while a program looks into them. */
export function removeOtherGenerations(instance: string, keep: readonly number[]): void {
  for (const number of pinnedGenerations(instance))
    if (!keep.includes(number)) rmSync(generationPath(instance, number), { recursive: true, force: true })
}
