import { readFileSync } from 'node:fs'
import { Compiled } from '../compile.ts'
import { Api } from './api.ts'
import type { PlaneAccess } from './in-netns.ts'

/** What a measurement needs and what is gone after it, however it ends. */
export interface Room {
  readonly api: Api
  /** For what must not be left behind. */
  readonly made: AsyncDisposableStack
  /** Programs, in a directory that is for other files, too. */
  readonly compiled: Compiled
  /** For who waits. */
  say(text: string): void
}

/** The body of a program that `runInNetns` starts: prints what comes out, JSON; what goes on goes to standard error. */
export async function runMeasurement<Options extends PlaneAccess>(
  measure: (options: Options, room: Room) => Promise<unknown>,
): Promise<void> {
  // Who reads them may have ended.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  // Written by runInNetns.
  const options = JSON.parse(process.argv[2] ?? '') as Options
  const made = new AsyncDisposableStack()
  let cleared: Promise<void> | undefined
  /** Once, whoever asks: a signal, or the end that the signal brings about. */
  const clear = (): Promise<void> => {
    cleared ??= made.disposeAsync()
    return cleared
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void clear().finally(() => process.exit(1)))
  const compiled = made.use(new Compiled())
  try {
    const api = made.use(
      new Api({
        url: options.url,
        ca: readFileSync(options.ca, 'utf8'),
        certificate: readFileSync(options.certificate, 'utf8'),
        key: readFileSync(options.key, 'utf8'),
      }),
    )
    const say = (text: string): void => void process.stderr.write(`${text}\n`)
    const results = await measure(options, { compiled, api, made, say })
    process.stdout.write(`${JSON.stringify(results)}\n`)
  } finally {
    await clear()
  }
}
