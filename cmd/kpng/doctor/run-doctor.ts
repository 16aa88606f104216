import { dim, formatTable, green, printValue, red, yellow } from '../output.ts'
import { type Check, checksOf, type Health } from './checks.ts'
import { collectFacts } from './facts.ts'

export interface DoctorFlags {
  readonly instance: string
  readonly output: 'table' | 'json' | 'yaml'
  readonly cgroupRoot?: string
}

const paint: Readonly<Record<Health, (text: string) => string>> = { good: green, warning: yellow, bad: red }

/** Exit status 1 when something is bad. */
export async function runDoctor(flags: DoctorFlags): Promise<void> {
  const checks = checksOf(await collectFacts(flags.instance, flags.cgroupRoot))
  if (checks.some(({ health }) => health === 'bad')) process.exitCode = 1
  if (flags.output !== 'table') return printValue(flags.output, checks)
  process.stdout.write(formatTable(['CHECK', 'HEALTH', 'FOUND'], checks.map(row)))
  const toDo = checks.filter(({ advice }) => advice !== '')
  if (toDo.length === 0) return
  process.stdout.write(`\n${toDo.map(({ name, advice }) => `${name}: ${advice}\n`).join('')}`)
}

const row = ({ name, health, found }: Check): string[] => [
  name,
  paint[health](health),
  health === 'good' ? dim(found) : found,
]
