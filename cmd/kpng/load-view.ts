import { readFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { journalPath, knownInstances, socketPath } from './run-dir.ts'
import { callAgent } from './status-client.ts'
import { decodeViewDocument, type ViewDocument } from './view-document.ts'

export interface LoadedView {
  readonly view: ViewDocument
  readonly agentAlive: boolean
  /** How old the view is; 0 with the agent alive. */
  readonly ageMs: number
}

/** The agent's view: from the agent, or where it is dead from what it last wrote down. */
export async function loadView(instance: string): Promise<LoadedView> {
  const answer = await callAgent(socketPath(instance), 'GET', '/v1/view')
  if (answer !== undefined)
    return { view: decode(answer, 'what the agent answers'), agentAlive: true, ageMs: 0 }
  let text: string
  try {
    text = readFileSync(journalPath(instance), 'utf8')
  } catch (reason) {
    const known = knownInstances()
    const hint =
      known.length === 0 ? 'no instance has run on this machine' : `instances here: ${known.join(', ')}`
    throw new KpngError('not-found', `nothing is known of instance ${instance} (${hint})`, { cause: reason })
  }
  const view = decode(text, journalPath(instance))
  return { view, agentAlive: false, ageMs: Math.max(0, Date.now() - Date.parse(view.writtenAt)) }
}

function decode(text: string, where: string): ViewDocument {
  try {
    return decodeViewDocument(text)
  } catch (reason) {
    throw new KpngError('io', `${where} cannot be read`, { cause: reason })
  }
}

/** One line on standard error when what follows is not live. */
export function sayAge(loaded: LoadedView): void {
  if (loaded.agentAlive) return
  const seconds = Math.round(loaded.ageMs / 1000)
  process.stderr.write(
    `kpng: the agent of instance ${loaded.view.instance} is not running; the kernel goes on with what it last wrote (view is ${seconds} s old)\n`,
  )
}
