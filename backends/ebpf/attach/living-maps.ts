import { KpngError } from '@kpng/api'
import { type BpfMap, EbpfError, openProgramById } from '@kpng/ebpf'
import { openPin } from './generation.ts'
import { allHooks } from './hooks.ts'
import { attachedProgram } from './links.ts'
import { type LivingMap, livingMaps, type MapLayouts } from './map-set.ts'
import { livingPath } from './pin-paths.ts'

export type LivingMaps = Partial<Readonly<Record<LivingMap, BpfMap>>>

/**
 * The living maps that former agents have pinned. Socket records and affinity that cannot be read must not be trampled
 * on: throws conflict where a map has another layout, and where programs write records of a version that this one
 * cannot read. Nothing is changed.
 */
export function openLivingMaps(
  instance: string,
  layouts: MapLayouts,
  resources: DisposableStack,
): LivingMaps {
  const found: Partial<Record<LivingMap, BpfMap>> = {}
  for (const name of livingMaps) {
    const map = openPin(resources, livingPath(instance), name)
    if (map === undefined) continue
    try {
      layouts.check(`living map ${name}`, map, name, undefined)
    } catch (reason) {
      if (!(reason instanceof EbpfError && reason.code === 'LAYOUT')) throw reason
      throw conflict(instance, `recorded in another layout (${reason.message})`, reason)
    }
    const { record } = layouts.versionsOf(map.info.btfId) ?? layouts.own
    // One that an older version made has records of later ones too: programs leave alone what they cannot read.
    if (record > layouts.own.newest) throw unreadable(instance, `living map ${name} is`, record, layouts)
    found[name] = map
  }
  for (const { name } of allHooks) {
    const record = recordsWritten(instance, name, layouts)
    if (record === undefined) continue
    const { oldest, newest } = layouts.own
    if (record < oldest || record > newest)
      throw unreadable(instance, `program ${name} writes records`, record, layouts)
  }
  return found
}

/** The version of the records that the program at a hook writes; undefined where there is none of kpng's. */
function recordsWritten(instance: string, hook: string, layouts: MapLayouts): number | undefined {
  const id = attachedProgram(instance, hook)
  if (id === undefined) return undefined
  try {
    using program = openProgramById(id)
    return layouts.versionsOf(program.info().btfId)?.record
  } catch (reason) {
    // Replaced since the link was asked.
    if (reason instanceof EbpfError && reason.code === 'NOT_FOUND') return undefined
    throw reason
  }
}

function unreadable(instance: string, what: string, version: number, { own }: MapLayouts): KpngError {
  const { oldest, newest } = own
  const read = oldest === newest ? `${oldest}` : `${oldest} to ${newest}`
  return conflict(
    instance,
    `recorded in version ${version} (${what} of version ${version}), this one reads ${read}`,
  )
}

const conflict = (instance: string, how: string, cause?: unknown): KpngError =>
  new KpngError(
    'conflict',
    `the sockets of instance ${instance} are ${how}, by another version of kpng: run that version, or one that reads both, or run kpng cleanup --instance ${instance} first (open connections go on, but show their backend’s address)`,
    cause === undefined ? {} : { cause },
  )
