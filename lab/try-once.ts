import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { familyOf } from './address.ts'
import { parseAnswer } from './endpoint-line.ts'
import type { Outcome } from './probe-result.ts'
import type { Target } from './who.ts'

export interface TryOptions {
  /** For connecting and answering together. */
  readonly timeoutMs: number
  /** Address to bind to; unbound without. */
  readonly source?: string
}

/** An endpoint's line is far shorter. */
const longestAnswer = 4_096

/** One try with a socket of its own; the socket is closed on return. */
export const tryOnce = (target: Target, options: TryOptions): Promise<Outcome> =>
  target.protocol === 'tcp' ? tryTcp(target, options) : tryUdp(target, options)

function tryTcp(target: Target, { timeoutMs, source }: TryOptions): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const { address: host, port } = target
  const socket = connect({ host, port, ...(source !== undefined && { localAddress: source }) })
  let said = ''
  const timer = setTimeout(() => finish({ kind: 'timedOut' }), timeoutMs)
  const finish = (outcome: Outcome): void => {
    clearTimeout(timer)
    socket.destroy()
    resolve(outcome)
  }
  socket.on('data', piece => {
    said += piece.toString()
    if (said.endsWith('\n') || said.length > longestAnswer) finish(answered(said))
  })
  socket.on('end', () => finish(answered(said)))
  socket.on('error', reason => finish(failed(reason)))
  return promise
}

/** Connected, so that the socket hears of refusals and takes only replies that come from the target. */
function tryUdp(target: Target, { timeoutMs, source }: TryOptions): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const socket = createSocket(familyOf(target.address) === 6 ? 'udp6' : 'udp4')
  let isDone = false
  const timer = setTimeout(() => finish({ kind: 'timedOut' }), timeoutMs)
  const finish = (outcome: Outcome): void => {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    socket.close(() => resolve(outcome))
  }
  socket.on('message', message => finish(answered(message.toString())))
  socket.on('error', reason => finish(failed(reason)))
  const send = (): void =>
    socket.connect(target.port, target.address, (reason?: Error) => {
      if (reason !== undefined) finish(failed(reason))
      else if (!isDone)
        socket.send('who are you?\n', problem => {
          if (problem !== null) finish(failed(problem))
        })
    })
  if (source === undefined) send()
  else socket.bind({ address: source, port: 0 }, send)
  return promise
}

function answered(text: string): Outcome {
  const answer = parseAnswer(text)
  return answer === undefined ? { kind: 'error', errno: 'EPROTO' } : { kind: 'answered', ...answer }
}

function failed(reason: unknown): Outcome {
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : 'EIO'
  return code === 'ETIMEDOUT' ? { kind: 'timedOut' } : { kind: 'error', errno: code }
}
