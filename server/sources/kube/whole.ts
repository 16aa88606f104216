import { ApiFailure } from './api-failure.ts'

/** A whole body. Throws `broken` when it is longer than maxBytes. */
export async function whole(pieces: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const held: Uint8Array[] = []
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > maxBytes) throw new ApiFailure('broken', `an answer is longer than ${maxBytes} bytes`)
    held.push(piece)
  }
  return Buffer.concat(held, bytes)
}

/** As `whole`, as UTF-8. */
export const wholeText = async (pieces: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> =>
  (await whole(pieces, maxBytes)).toString('utf8')
