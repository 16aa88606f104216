import { resolve } from 'node:path'
import { KpngError } from '@kpng/api'
import type { Material } from './cluster-access.ts'

export type Json = Readonly<Record<string, unknown>>

/** A named entry of a kubeconfig, with the directory that its relative paths start from. */
export interface Entry {
  readonly where: string
  readonly name: string
  readonly directory: string
  readonly fields: Json
}

/** Whether a field says anything: null and '' are absent, as in Go. */
export const says = ({ fields }: Entry, field: string): boolean =>
  fields[field] !== undefined && fields[field] !== null && fields[field] !== ''

/** '' is absent. Throws usage. */
export function text(entry: Entry, field: string): string | undefined {
  if (!says(entry, field)) return undefined
  const value = entry.fields[field]
  if (typeof value === 'string') return value
  throw new KpngError('usage', `${entry.where}: ${field} is no text`)
}

/** Throws usage. */
export function texts(entry: Entry, field: string): readonly string[] {
  const value = entry.fields[field] ?? []
  if (Array.isArray(value) && value.every(it => typeof it === 'string')) return value
  throw new KpngError('usage', `${entry.where}: ${field} is no list of texts`)
}

/** `field-data` (base64) before `field` (a path). Throws usage. */
export function material(entry: Entry, field: string): Material | undefined {
  const data = text(entry, `${field}-data`)
  if (data !== undefined) return { text: Buffer.from(data, 'base64').toString('utf8') }
  const file = text(entry, field)
  return file === undefined ? undefined : { file: resolve(entry.directory, file) }
}
