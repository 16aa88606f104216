import { parse } from 'yaml'
import type { SpecResult } from './results.ts'

/** Why specs do not pass with kpng, and how one knows. */
export interface Cause {
  readonly title: string
  readonly why: string
  readonly evidence: string
  /** Exact names of specs, without `[sig-network] `. */
  readonly specs: readonly string[]
}

/** Throws Error naming the field that is missing. */
export function readCauses(text: string): Cause[] {
  const list: unknown = parse(text)
  if (!Array.isArray(list)) throw new Error('causes.yaml must be a list')
  return list.map((item: Record<string, unknown>, index) => {
    const field = (name: string): string => {
      const value = item[name]
      if (typeof value !== 'string' || value === '')
        throw new Error(`causes.yaml[${index}].${name} is missing`)
      return value.trim()
    }
    const specs: unknown = item.specs
    if (!Array.isArray(specs) || specs.length === 0) throw new Error(`causes.yaml[${index}].specs is missing`)
    return {
      title: field('title'),
      why: field('why'),
      evidence: field('evidence'),
      specs: specs.map(String),
    }
  })
}

export const shortName = (spec: string): string => spec.replace('[sig-network] ', '')

/**
 * What is wrong with the causes: a spec that fails without one, and one that has a cause but fails in no cluster. A spec
 * that kube-proxy does not pass either needs none.
 */
export function complaints(clusters: readonly (readonly SpecResult[])[], causes: readonly Cause[]): string[] {
  const explained = new Set(causes.flatMap(cause => cause.specs))
  const failing = new Set<string>()
  const found: string[] = []
  for (const results of clusters)
    for (const { spec, states } of results) {
      if (states.kpng !== 'failed') continue
      failing.add(shortName(spec))
      if (states['kube-proxy'] === 'passed' && !explained.has(shortName(spec)))
        found.push(`fails without a cause: ${spec}`)
    }
  for (const spec of explained) if (!failing.has(spec)) found.push(`has a cause but does not fail: ${spec}`)
  return [...new Set(found)]
}
