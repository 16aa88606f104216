/**
 * Decodes the fields that a schema names out of a protobuf message, and jumps over all others: what nobody uses (of an
 * object in a cluster that is most of it, managedFields alone may be half) is never made. The result has the shape
 * that the same object has in JSON, so that everything after it is the same for both.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** Fields by their number; those that are not in it are not looked at. */
export type Schema = ReadonlyArray<Field | undefined>

/** How the value of a field is read. 'presence': true, whatever the value; 'texts': a map of strings. */
type FieldType = 'text' | 'bool' | 'int32' | 'presence' | 'texts' | 'bytes' | Schema

export interface Field {
  /** As in JSON. */
  readonly name: string
  readonly type: FieldType
  readonly repeated: boolean
  /**
   * A pointer in Kubernetes' Go types: it is on the wire only where it was given. Other fields are always on the wire,
   * and 0, false and '' stand for what JSON leaves out.
   */
  readonly pointer: boolean
}

/** Field numbers as in the .proto file. */
export function schema(fields: Readonly<Record<number, Field>>): Schema {
  const made: (Field | undefined)[] = []
  for (const [number, field] of Object.entries(fields)) made[Number(number)] = field
  return made
}

const field = (type: FieldType, more: Partial<Field> = {}): ((name: string) => Field) => {
  return name => ({ type, repeated: false, pointer: false, ...more, name })
}

export const text = field('text')
export const textPointer = field('text', { pointer: true })
export const boolPointer = field('bool', { pointer: true })
export const int32 = field('int32')
export const int32Pointer = field('int32', { pointer: true })
export const presence = field('presence')
export const texts = field('texts')
export const bytes = field('bytes')
export const textList = field('text', { repeated: true })
export const message = (name: string, of: Schema): Field => field(of)(name)
export const messageList = (name: string, of: Schema): Field => field(of, { repeated: true })(name)

export type Decoded = Record<string, unknown>

/** Throws RangeError or Error where the bytes are no message. */
export function decode(data: Uint8Array, of: Schema): Decoded {
  const reader = new Reader(data)
  return readMessage(reader, reader.len, of)
}

/** Texts are most of what is read. */
class Reader extends BinaryReader {
  readonly #bytes: Buffer

  constructor(data: Uint8Array) {
    super(data)
    this.#bytes = Buffer.from(data.buffer, data.byteOffset, data.length)
  }

  /** Without a view of the bytes for each. */
  override string(): string {
    const length = this.uint32()
    const begin = this.pos
    this.pos += length
    if (this.pos > this.len) throw new RangeError('a text is longer than its message')
    return this.#bytes.toString('utf8', begin, this.pos)
  }
}

function readMessage(reader: Reader, end: number, of: Schema): Decoded {
  const found: Decoded = {}
  while (reader.pos < end) {
    // Not reader.tag(): its pair costs as much as the rest. A number out of range is in no schema.
    const tag = reader.uint32()
    const number = tag >>> 3
    const wireType: WireType = tag & 7
    const known = of[number]
    if (known === undefined || wireType !== wireTypeOf(known.type)) skip(reader, wireType, number)
    else readField(reader, end, known, found)
  }
  if (reader.pos > end) throw new RangeError('a field is longer than its message')
  return found
}

function skip(reader: Reader, wireType: WireType, number: number): void {
  if (wireType !== WireType.LengthDelimited) {
    reader.skip(wireType, number)
    return
  }
  // Not reader.skip(): it makes an array of what it jumps over.
  const length = reader.uint32()
  reader.pos += length // beyond the message: its reader sees to that
}

function readField(reader: Reader, end: number, known: Field, found: Decoded): void {
  const { name, type } = known
  if (type === 'texts') {
    // No prototype: a key may be __proto__.
    found[name] ??= Object.create(null)
    const { key = '', value = '' } = readMessage(reader, endOf(reader, end), entryOfTexts)
    ;(found[name] as Decoded)[String(key)] = value
    return
  }
  const value = readValue(reader, end, type)
  if (known.repeated) {
    const list = found[name]
    if (Array.isArray(list)) list.push(value)
    else found[name] = [value]
  } else if (known.pointer || (value !== '' && value !== 0)) found[name] = value
}

function readValue(reader: Reader, end: number, type: Exclude<FieldType, 'texts'>): unknown {
  switch (type) {
    case 'text':
      return reader.string()
    case 'bool':
      return reader.bool()
    case 'int32':
      return reader.int32()
    case 'bytes':
      return reader.bytes()
    case 'presence':
      reader.bytes()
      return true
    default:
      return readMessage(reader, endOf(reader, end), type)
  }
}

/** An entry of a map. */
const entryOfTexts = schema({ 1: text('key'), 2: text('value') })

const wireTypeOf = (type: FieldType): WireType =>
  type === 'bool' || type === 'int32' ? WireType.Varint : WireType.LengthDelimited

/** Where the message that begins here ends. */
function endOf(reader: Reader, outerEnd: number): number {
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > outerEnd) throw new RangeError('a field is longer than its message')
  return end
}
