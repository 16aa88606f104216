/** The selectors that the proxy uses, as an API server reads them. */
import { isRecord } from '../../../objects/fields.ts'
import type { KubeJson } from './fake-api.ts'

export function selects(query: URLSearchParams, object: KubeJson): boolean {
  return (
    labelSelected(query.get('labelSelector') ?? '', object.metadata.labels ?? {}) &&
    fieldSelected(query.get('fieldSelector') ?? '', object)
  )
}

function labelSelected(selector: string, labels: Readonly<Record<string, string>>): boolean {
  if (selector === '') return true
  if (selector.startsWith('!')) return !Object.hasOwn(labels, selector.slice(1))
  const [name = '', value] = selector.split('=')
  return labels[name] === value
}

function fieldSelected(selector: string, object: KubeJson): boolean {
  if (selector === '') return true
  const [, path = '', operator = '', wanted = ''] = /^([\w.]+)(!?=)(.*)$/.exec(selector) ?? []
  let value: unknown = object
  for (const step of path.split('.')) value = isRecord(value) ? value[step] : undefined
  return operator === '=' ? value === wanted : value !== wanted
}
