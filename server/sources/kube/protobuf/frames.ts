import { ApiFailure } from '../api-failure.ts'

/** Each frame of a watch in protobuf begins with its length: 32 bits, big endian. */
const LENGTH_BYTES = 4

/**
 * The frames of a stream. Throws `broken` for a frame longer than maxBytes and when the stream ends inside of one: half
 * an event is none.
 */
export async function* frames(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let neededBytes = LENGTH_BYTES
  for await (const piece of pieces) {
    held.push(piece)
    heldBytes += piece.length
    if (heldBytes < neededBytes) continue
    const data = held.length === 1 ? piece : Buffer.concat(held, heldBytes)
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    let at = 0
    for (;;) {
      neededBytes = LENGTH_BYTES
      if (data.length - at < neededBytes) break
      const length = view.getUint32(at)
      if (length > maxBytes) throw new ApiFailure('broken', `an event is longer than ${maxBytes} bytes`)
      neededBytes += length
      if (data.length - at < neededBytes) break
      yield data.subarray(at + LENGTH_BYTES, at + neededBytes)
      at += neededBytes
    }
    heldBytes = data.length - at
    held = heldBytes > 0 ? [data.subarray(at)] : []
  }
  if (heldBytes > 0) throw new ApiFailure('broken', 'the answer was cut in the middle of an event')
}
