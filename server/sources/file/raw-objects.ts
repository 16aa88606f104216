import { readFileSync } from 'node:fs'
import { isRecord } from '../../objects/fields.ts'
import { compareText } from '../../select/endpoints.ts'
import { parseText } from './parse-text.ts'
import { readRoot } from './roots.ts'

/** An object as it is written, with all its fields and what its list says of its type; nothing in it is checked. */
export interface RawObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/**
 * All objects of a directory of manifests, or of one file, for whoever passes them on: by file name, then as they stand
 * there. What cannot be read is left out: `readManifests` tells of it.
 */
export function readRawObjects(path: string): RawObject[] {
  const root = readRoot(path, 0)
  if (root.kind === 'missing') return []
  const objects: RawObject[] = []
  for (const file of root.files.toSorted((a, b) => compareText(a.path, b.path)))
    parseText(readFileSync(file.path, 'utf8'), {
      entry: ({ value, type }) => {
        if (!isRecord(value) || !isRecord(value.metadata)) return
        objects.push({ ...value, ...type, metadata: value.metadata })
      },
      error: () => undefined,
      isKnown: () => false,
    })
  return objects
}
