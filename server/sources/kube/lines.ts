import { ApiFailure } from './api-failure.ts'

const NEWLINE = 10

/**
 * The lines of a stream, without their ends. Throws `broken` for a line longer than maxBytes and when the stream
 * ends inside of one: half an event is none.
 */
export async function* lines(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, void> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const piece of pieces) {
    let from = 0
    for (;;) {
      const end = piece.indexOf(NEWLINE, from)
      const part = piece.subarray(from, end < 0 ? piece.length : end)
      heldBytes += part.length
      if (heldBytes > maxBytes) throw new ApiFailure('broken', `a line is longer than ${maxBytes} bytes`)
      held.push(part)
      if (end < 0) break
      const line = Buffer.concat(held, heldBytes).toString('utf8')
      held = []
      heldBytes = 0
      from = end + 1
      if (line !== '') yield line
    }
  }
  if (heldBytes > 0) throw new ApiFailure('broken', 'the answer was cut in the middle of a line')
}
