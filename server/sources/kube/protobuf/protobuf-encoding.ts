import { type Encoding, type ListPage, listPage, type WatchEvent, watchEvent } from '../answers.ts'
import { ApiFailure } from '../api-failure.ts'
import { whole } from '../whole.ts'
import { type Decoded, decode, type Schema } from './decode.ts'
import { Frames } from './frames.ts'
import * as schemas from './schemas.ts'

/** What an object in Kubernetes' protobuf begins with: "k8s" and a zero byte. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00]

/** application/vnd.kubernetes.protobuf: an event of a watch is a frame. */
export const protobufEncoding: Encoding = {
  async *events(body, maxBytes): AsyncGenerator<Iterable<WatchEvent>, void, void> {
    const frames = new Frames(maxBytes)
    for await (const piece of body) yield frames.split(piece).map(readEvent)
    frames.end()
  },

  async list(body, maxBytes): Promise<ListPage> {
    return listPage(readObject(await whole(body, maxBytes)))
  },

  async object(body, maxBytes): Promise<unknown> {
    return readObject(await whole(body, maxBytes))
  },
}

function readEvent(frame: Uint8Array): WatchEvent {
  const { type, object } = decoded(frame, schemas.watchEvent)
  const raw = (object as Decoded | undefined)?.raw
  return watchEvent(type, raw instanceof Uint8Array ? readObject(raw) : undefined)
}

function readObject(data: Uint8Array): Decoded {
  if (MAGIC.some((byte, at) => data[at] !== byte)) throw unreadable()
  const { typeMeta, raw } = decoded(data.subarray(MAGIC.length), schemas.envelope)
  const { apiVersion = '', kind = '' } = (typeMeta ?? {}) as Decoded
  const known = schemas.byType.get(`${apiVersion}/${kind}`)
  if (known === undefined) throw new ApiFailure('broken', `the answer is a ${apiVersion} ${kind}`)
  return decoded(raw instanceof Uint8Array ? raw : new Uint8Array(), known)
}

function decoded(data: Uint8Array, as: Schema): Decoded {
  try {
    return decode(data, as)
  } catch (reason) {
    throw unreadable(reason)
  }
}

const unreadable = (cause?: unknown): ApiFailure =>
  new ApiFailure('broken', 'the answer is no protobuf', { cause })
