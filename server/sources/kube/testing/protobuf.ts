/** Writes protobuf as an API server does: only the fields that the source reads. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { Field, Schema } from '../protobuf/decode.ts'
import { byType, envelope, watchEvent } from '../protobuf/schemas.ts'
import { proxyResources } from '../resources.ts'
import type { KubeJson } from './fake-api.ts'

export const protobufType = 'application/vnd.kubernetes.protobuf'

const apiVersions = new Map<string, string>(
  proxyResources({ nodeName: '' }).map(({ kind, apiVersion }) => [kind, apiVersion]),
)

/** An object or a list, with its envelope. */
export function protobufObject(object: Partial<KubeJson>): Uint8Array {
  const kind = object.kind ?? ''
  const apiVersion = apiVersions.get(kind.replace(/List$/, '')) ?? 'v1'
  const of = byType.get(`${apiVersion}/${kind}`)
  if (of === undefined) throw new Error(`no schema of ${apiVersion} ${kind}`)
  const raw = message(object, of)
  return Buffer.concat([Buffer.from('k8s\0'), message({ typeMeta: { apiVersion, kind }, raw }, envelope)])
}

/** An event of a watch, as a frame. */
export function protobufEvent(type: string, object: Partial<KubeJson>): Uint8Array {
  const event = message({ type, object: { raw: protobufObject(object) } }, watchEvent)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(event.length)
  return Buffer.concat([length, event])
}

function message(value: object, of: Schema): Uint8Array {
  const writer = new BinaryWriter()
  for (const [number, field] of of.entries()) {
    const content = (value as Readonly<Record<string, unknown>>)[field?.name ?? '']
    if (field === undefined || content === undefined) continue
    for (const item of field.repeated ? (content as readonly unknown[]) : [content])
      write(writer, number, field, item)
  }
  // A field that nobody knows, between those of Kubernetes and far away.
  return writer.tag(4_000, WireType.LengthDelimited).string('of a later version').finish()
}

function write(writer: BinaryWriter, number: number, { type }: Field, value: unknown): void {
  if (type === 'bool') writer.tag(number, WireType.Varint).bool(value as boolean)
  else if (type === 'int32') writer.tag(number, WireType.Varint).int32(value as number)
  else if (type === 'text') writer.tag(number, WireType.LengthDelimited).string(value as string)
  else if (type === 'bytes') writer.tag(number, WireType.LengthDelimited).bytes(value as Uint8Array)
  else if (type === 'presence') writer.tag(number, WireType.LengthDelimited).bytes(new Uint8Array([8, 1]))
  else if (type === 'texts')
    for (const [key, text] of Object.entries(value as Record<string, string>)) {
      const entry = new BinaryWriter()
      entry.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).string(text)
      writer.tag(number, WireType.LengthDelimited).bytes(entry.finish())
    }
  else writer.tag(number, WireType.LengthDelimited).bytes(message(value as object, type))
}
