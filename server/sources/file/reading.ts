/** One file as it is now, in a form that can cross from thread to thread. */
import type { Problem } from '@kpng/api'
import { readContent, type Signature } from './file-content.ts'
import {
  type KnownFingerprints,
  type KnownObject,
  type ReadObject,
  readManifest,
  type UnknownKind,
} from './manifest.ts'

export interface ReadRequest {
  readonly path: string
  /** Larger files are not read. */
  readonly maxBytes: number
  /** Hash of the content that is known already; '' for none. */
  readonly knownHash: string
  readonly known: KnownFingerprints
}

export type Reading =
  | { readonly outcome: 'gone' }
  /** Changed while being read, every time. */
  | { readonly outcome: 'unstable' }
  | { readonly outcome: 'unreadable'; readonly message: string; readonly signature: Signature | undefined }
  /** The content that is known already. */
  | { readonly outcome: 'same'; readonly signature: Signature }
  /** Nothing but white space. */
  | { readonly outcome: 'blank'; readonly signature: Signature; readonly hash: string }
  | {
      readonly outcome: 'manifest'
      readonly signature: Signature
      readonly hash: string
      readonly problems: readonly Problem[]
      readonly unknownKinds: readonly UnknownKind[]
      readonly damaged: boolean
    }

/** Part of the objects of a file, in order: JSON text of an array. */
export type Part = string

/** A part costs whoever takes it well below a millisecond. */
const PART_CHARS = 64 << 10

/** Reads a file whole. Its objects are given away part by part, as texts: nothing of them keeps the file's text. */
export function readManifestFile(request: ReadRequest, give: (part: Part) => void): Reading {
  const content = readContent(request.path, request.maxBytes)
  if (content.outcome !== 'text') return content
  const { text, hash, signature } = content
  if (hash === request.knownHash) return { outcome: 'same', signature }
  if (text.trim() === '') return { outcome: 'blank', signature, hash }
  const { objects, ...rest } = readManifest(text, request.path, request.known)
  for (const part of toParts(objects)) give(part)
  return { outcome: 'manifest', signature, hash, ...rest }
}

export const parsePart = (part: Part): (ReadObject | KnownObject)[] => JSON.parse(part)

function* toParts(objects: readonly (ReadObject | KnownObject)[]): Generator<Part> {
  let texts: string[] = []
  let chars = 0
  for (const object of objects) {
    const text = JSON.stringify(object)
    texts.push(text)
    chars += text.length
    if (chars < PART_CHARS) continue
    yield `[${texts.join(',')}]`
    texts = []
    chars = 0
  }
  if (texts.length > 0) yield `[${texts.join(',')}]`
}
