import { isRecord } from '../../objects/fields.ts'
import { type Encoding, type ListPage, listPage, type WatchEvent, watchEvent } from './answers.ts'
import { ApiFailure } from './api-failure.ts'
import { Lines } from './lines.ts'
import { wholeText } from './whole.ts'

/** application/json: an event of a watch is a line. */
export const jsonEncoding: Encoding = {
  async *events(body, maxBytes): AsyncGenerator<Iterable<WatchEvent>, void, void> {
    const lines = new Lines(maxBytes)
    for await (const piece of body) yield lines.split(piece).map(readEvent)
    lines.end()
  },

  async list(body, maxBytes): Promise<ListPage> {
    return listPage(parse(await wholeText(body, maxBytes)))
  },

  async object(body, maxBytes): Promise<unknown> {
    return parse(await wholeText(body, maxBytes))
  },
}

function readEvent(line: string): WatchEvent {
  const event = parse(line)
  return isRecord(event) ? watchEvent(event.type, event.object) : watchEvent(undefined, undefined)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (reason) {
    // Not the parser's message: it quotes the text, and so is never the same twice.
    throw new ApiFailure('broken', 'the answer is no JSON', { cause: reason })
  }
}
