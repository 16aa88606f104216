import { isRecord } from '../../objects/fields.ts'
import { type Encoding, type ListPage, listPage, type WatchEvent, watchEvent } from './answers.ts'
import { ApiFailure } from './api-failure.ts'
import { lines } from './lines.ts'
import { wholeText } from './whole.ts'

/** application/json: an event of a watch is a line. */
export const jsonEncoding: Encoding = {
  async *events(body, maxBytes): AsyncGenerator<WatchEvent, void, void> {
    for await (const line of lines(body, maxBytes)) {
      const event = parse(line)
      yield isRecord(event) ? watchEvent(event.type, event.object) : watchEvent(undefined, undefined)
    }
  },

  async list(body, maxBytes): Promise<ListPage> {
    return listPage(parse(await wholeText(body, maxBytes)))
  },

  async object(body, maxBytes): Promise<unknown> {
    return parse(await wholeText(body, maxBytes))
  },
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (reason) {
    // Not the parser's message: it quotes the text, and so is never the same twice.
    throw new ApiFailure('broken', 'the answer is no JSON', { cause: reason })
  }
}
