import { readFileSync, statSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { describeChanges } from './describe-changes.ts'

export interface ConfigurationWatchOptions {
  /** Between two looks. Default 1 s. */
  readonly intervalMs?: number
}

/**
 * Watches the file of --config as kube-proxy does: when it says something else, the process is to end and to be started
 * again with it. Looks at the file by its path, through whatever links lead to it, for a ConfigMap is changed by
 * swapping a link; a file that is gone for a while, or written again as it was, is no change.
 */
export class ConfigurationWatch implements Disposable {
  readonly #path: string
  readonly #text: string
  readonly #timer: NodeJS.Timeout
  readonly #changed = Promise.withResolvers<never>()
  #signature = ''
  /** What was found otherwise, and may be half of what is being written. */
  #found: string | undefined

  /** `text` is what the file said when it was read. */
  constructor(path: string, text: string, options: ConfigurationWatchOptions = {}) {
    this.#path = path
    this.#text = text
    this.#changed.promise.catch(() => {})
    this.#timer = setInterval(() => this.#look(), options.intervalMs ?? 1_000).unref()
  }

  /** Rejects when the file has changed, with what has. Never resolves. */
  get changed(): Promise<never> {
    return this.#changed.promise
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const text = this.#read()
    if (text === undefined) return
    if (text === this.#text) this.#found = undefined
    else if (text !== this.#found) this.#found = text
    else this.#tell(text)
  }

  /** undefined: nobody has touched it, or it is not there. */
  #read(): string | undefined {
    try {
      const { dev, ino, size, mtimeMs } = statSync(this.#path)
      const signature = `${dev} ${ino} ${size} ${mtimeMs}`
      if (signature === this.#signature && this.#found === undefined) return undefined
      const text = readFileSync(this.#path, 'utf8')
      this.#signature = signature
      return text
    } catch {
      // Between an old and a new one there may be none.
      return undefined
    }
  }

  #tell(text: string): void {
    clearInterval(this.#timer)
    const changes = describeChanges(this.#path, this.#text, text)
    this.#changed.reject(
      new KpngError(
        'conflict',
        `the configuration ${this.#path} has changed: ${changes.join('; ')}. This process ends, to be started again with it; the datapath goes on`,
      ),
    )
  }
}
