import { EbpfError, openProgramById, type Program, type ProgramInfo } from '@kpng/ebpf'
import { openPin } from './generation.ts'
import { livingMaps, type MapLayouts } from './map-set.ts'
import { livingPath, pinnedInstances } from './pin-paths.ts'

/** A program that was found where one of ours should be. */
export interface FoundProgram {
  readonly program: Program
  /** `program 42 (connect4)`. */
  readonly text: string
  /** Of this instance, by whatever version of kpng: may be replaced. Anybody else's is left where it is. */
  readonly isOurs: boolean
}

/**
 * Whose a program is. It is kpng's where its BTF says a version of kpng, and another instance's where it looks into the
 * living maps of that. undefined: it is gone.
 */
export function findProgram(
  id: number,
  instance: string,
  layouts: Pick<MapLayouts, 'versionsOf'>,
  resources: DisposableStack,
): FoundProgram | undefined {
  try {
    const program = resources.use(openProgramById(id))
    const info = program.info()
    const isKpng = layouts.versionsOf(info.btfId) !== undefined
    const text = `program ${id} (${info.name})`
    return { program, text, isOurs: isKpng && !isOfOther(info, instance) }
  } catch (reason) {
    if (reason instanceof EbpfError && reason.code === 'NOT_FOUND') return undefined
    throw reason
  }
}

function isOfOther({ mapIds }: ProgramInfo, instance: string): boolean {
  return pinnedInstances()
    .filter(other => other !== instance)
    .some(other =>
      livingMaps.some(name => {
        using resources = new DisposableStack()
        const map = openPin(resources, livingPath(other), name)
        return map !== undefined && mapIds.includes(map.info.id)
      }),
    )
}
