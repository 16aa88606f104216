import type { Problem } from '@kpng/api'
import { agentFields } from './agent-fields.ts'
import { describeMistake } from './describe-mistake.ts'
import { eachField, isDefault } from './fields.ts'
import { readConfiguration } from './read-configuration.ts'

/** What the fields of two configurations differ in, for people; never empty. */
export function describeChanges(file: string, before: string, after: string): string[] {
  const old = readConfiguration(before, file).settings
  const { settings, mistakes } = readConfiguration(after, file)
  if (mistakes.length > 0) return mistakes.map((mistake: Problem) => describeMistake(mistake))
  const changes: string[] = []
  for (const [path, field] of eachField(agentFields)) {
    const [was, is] = [old.get(path)?.value, settings.get(path)?.value].map(value => {
      const effective = value === undefined || isDefault(field, value) ? field.default : value
      return JSON.stringify(field.type.print(effective))
    })
    if (was !== is)
      changes.push(`${settings.get(path)?.field ?? old.get(path)?.field ?? path} is ${is}, was ${was}`)
  }
  return changes.length > 0 ? changes : ['its text, but no value']
}
