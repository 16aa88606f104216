import type { Problem } from '@kpng/api'
import type { Datapath } from './open-datapath.ts'
import { Upkeep, type UpkeepState } from './upkeep.ts'

export interface DatapathUpkeepOptions {
  readonly datapath: Pick<Datapath, 'attach' | 'fault' | 'neighbours' | 'pin' | 'pinFault'>
  /** Where the programs are attached. */
  readonly cgroup: string
  readonly logger: { warn(fields: object, message: string): void }
  /** The programs are in place: for the first time, or again. */
  readonly onAttached: (again: boolean) => void
  /** Something was not in place, as the sentence says, and is again. */
  readonly onRepaired: (what: string) => void
  /** attached, problems() or states may say something else. */
  readonly onChange: () => void
}

/** What of the datapath is kept in place. */
export type Kept = 'programs' | 'pins'

/**
 * Keeps the programs attached and everything pinned, each for itself: without a pin connections are served all the
 * same, and a pin is worth having while the cgroup is away.
 */
export class DatapathUpkeep implements Disposable {
  readonly #options: DatapathUpkeepOptions
  readonly #programs: Upkeep
  readonly #pins: Upkeep
  #neighbours: readonly string[] = []

  constructor(options: DatapathUpkeepOptions) {
    const { datapath, logger, onAttached, onRepaired, onChange } = options
    this.#options = options
    const repaired = (fault: string, message: string): void => {
      logger.warn({ fault }, message)
      onRepaired(`${message}: ${fault}`)
    }
    this.#programs = new Upkeep({
      put: () => datapath.attach(),
      fault: () => {
        const fault = datapath.fault()
        this.#lookAround()
        return fault
      },
      onPut: fault => {
        onAttached(fault !== undefined)
        if (fault !== undefined) repaired(fault, 'the programs were not in place any more, and are again')
        // New links have no pins yet.
        this.#pins.renew()
        onChange()
      },
      onFailed: onChange,
    })
    this.#pins = new Upkeep({
      put: () => datapath.pin(),
      fault: () => datapath.pinFault(),
      onPut: fault => {
        if (fault !== undefined)
          repaired(fault, 'what keeps the datapath without an agent was gone, and is back')
        onChange()
      },
      onFailed: onChange,
    })
    // What a former agent has left serves until the first sync.
    this.#pins.begin()
  }

  #lookAround(): void {
    const { datapath, logger, onChange } = this.#options
    const neighbours = datapath.neighbours()
    if (neighbours.join() === this.#neighbours.join()) return
    this.#neighbours = neighbours
    const what =
      neighbours.length > 0 ? 'run where ours do; they are left alone' : 'do not run where ours do any more'
    logger.warn({ neighbours }, `programs of others ${what}`)
    onChange()
  }

  /** Programs of others that run at the same hooks, as sentences. */
  get neighbours(): readonly string[] {
    return this.#neighbours
  }

  /** Puts the programs in place now, or tries to where that failed before. */
  begin(): void {
    this.#programs.begin()
  }

  /** The programs are in place. */
  get attached(): boolean {
    return this.#programs.state.inPlace
  }

  /** Why the programs are not in place; undefined before `begin` too. */
  get failure(): Error | undefined {
    return this.#programs.failure
  }

  get states(): Readonly<Record<Kept, UpkeepState>> {
    return { programs: this.#programs.state, pins: this.#pins.state }
  }

  problems(): Problem[] {
    const problem = (
      reason: Problem['reason'] & string,
      what: string,
      failure: Error | undefined,
    ): Problem[] =>
      failure === undefined
        ? []
        : [
            {
              where: this.#options.cgroup,
              field: '',
              message: `${what}: ${failure.message}; will be tried again`,
              reason,
            },
          ]
    return [
      ...problem('DatapathDetached', 'the programs are not in place', this.#programs.failure),
      ...problem(
        'DatapathUnpinned',
        'maps and links cannot be pinned, and are lost when the agent ends',
        this.#pins.failure,
      ),
    ]
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]()
    this.#pins[Symbol.dispose]()
  }
}
