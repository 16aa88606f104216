import { isDeepStrictEqual } from 'node:util'
import type { StructCodec } from '../codec.ts'
import { EbpfError } from '../error.ts'
import type { Codec } from '../map.ts'
import { codecOf } from './dynamic-codec.ts'
import type { TypeOf } from './layout-difference.ts'
import { type Field, type StructShape, shapeOf } from './shape.ts'

/**
 * Reads a type of another version as what `ours` makes of it: fields of our names are taken from wherever they are
 * there; those that are not there, or are of another kind, are zero. Cannot write, unless both have one layout. Throws
 * LAYOUT for what is no struct and has another size.
 */
export function codecByName<T>(ours: Codec<T>, { btf, id }: TypeOf): Codec<T> {
  const shape = shapeOf(btf, id)
  if (!isStruct(ours) || shape.kind !== 'struct') {
    if (ours.size === shape.size) return ours
    throw new EbpfError('LAYOUT', `${btf.origin}: type ${id} has ${shape.size} bytes, ours ${ours.size}`)
  }
  const moves = movesOf(ours, shape)
  if (isSame(ours, shape, moves)) return ours
  const scratch = new Uint8Array(ours.size)
  const view = new DataView(scratch.buffer)
  return {
    size: shape.size,
    encode() {
      throw new EbpfError(
        'LAYOUT',
        `${btf.origin}: struct ${shape.name} is another version’s: it is only read`,
      )
    },
    decode(from, offset) {
      for (const { there, here, size } of moves)
        for (let byte = 0; byte < size; byte++) scratch[here + byte] = from.getUint8(offset + there + byte)
      return ours.decode(view, 0)
    },
  }
}

/** Where bytes are and where they belong. */
interface Move {
  readonly there: number
  readonly here: number
  readonly size: number
}

const isStruct = <T>(codec: Codec<T>): codec is StructCodec<T> => 'offsets' in codec

function movesOf<T>(ours: StructCodec<T>, shape: StructShape): Move[] {
  const theirs = new Map(shape.fields.map(field => [field.name, field]))
  return (Object.entries(ours.offsets) as [keyof T & string, number][]).flatMap(([name, here]) => {
    const field = theirs.get(name)
    if (field === undefined || !isOneKind(ours, name, here, field)) return []
    return [{ there: field.offset, here, size: field.shape.size }]
  })
}

/** Do the same bytes mean the same in both? */
function isOneKind<T>(ours: StructCodec<T>, name: keyof T, here: number, field: Field): boolean {
  const { size } = field.shape
  if (field.bitfield !== undefined || here + size > ours.size) return false
  const bytes = new Uint8Array(ours.size)
  for (let byte = 0; byte < size; byte++) bytes[here + byte] = 0x81 + (byte % 0x7e)
  const view = new DataView(bytes.buffer)
  return isDeepStrictEqual(ours.decode(view, 0)[name], codecOf(field.shape).decode(view, here))
}

const isSame = <T>(ours: StructCodec<T>, shape: StructShape, moves: readonly Move[]): boolean =>
  ours.size === shape.size &&
  moves.length === Object.keys(ours.offsets).length &&
  moves.length === shape.fields.length &&
  moves.every(({ there, here }) => there === here)
