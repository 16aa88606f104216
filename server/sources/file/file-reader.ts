import { Worker } from 'node:worker_threads'
import { type Part, type Reading, type ReadRequest, readManifestFile } from './reading.ts'
import type { WorkerMessage } from './reading-worker.ts'

export interface FileReaderOptions {
  /**
   * Files of at least so many bytes are read in a thread of their own, *.json from four times as many on: JSON is read
   * as much faster. Default 256 KiB: some 15 ms of reading.
   */
  readonly threadBytes?: number
  /** Bound on that thread's memory: a file that takes more cannot be read. Default: Node's. */
  readonly threadHeapMiB?: number
  /** The thread ends when it had nothing to do for so long. Default 1,000 ms. */
  readonly threadIdleMs?: number
}

export interface ReadFile {
  readonly reading: Reading
  readonly parts: readonly Part[]
}

/**
 * Reads manifest files: small ones here and now, large ones in a thread, which is started when it is needed. A
 * file at which the thread breaks is unreadable, the next one gets a new thread. One call at a time.
 */
export class FileReader implements AsyncDisposable {
  readonly #threadBytes: number
  readonly #threadHeapMiB: number | undefined
  readonly #threadIdleMs: number
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #pending: { parts: Part[]; readonly resolve: (file: ReadFile) => void } | undefined

  constructor(options: FileReaderOptions = {}) {
    this.#threadBytes = options.threadBytes ?? 256 << 10
    this.#threadHeapMiB = options.threadHeapMiB
    this.#threadIdleMs = options.threadIdleMs ?? 1_000
  }

  /** `size` in bytes, as far as is known, only decides where it is read. Never throws for what the file is. */
  async read(request: ReadRequest, size: number): Promise<ReadFile> {
    const threadBytes = request.path.endsWith('.json') ? this.#threadBytes * 4 : this.#threadBytes
    if (size >= threadBytes) return this.#readInThread(request)
    const parts: Part[] = []
    return { reading: readManifestFile(request, part => parts.push(part)), parts }
  }

  /** A thread is there, working or idle. */
  get hasThread(): boolean {
    return this.#worker !== undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle)
    const worker = this.#worker
    if (worker === undefined) return
    this.#ended(worker, 'its reader was closed')
    await worker.terminate()
  }

  #readInThread(request: ReadRequest): Promise<ReadFile> {
    clearTimeout(this.#idle)
    this.#worker ??= this.#start()
    const { promise, resolve } = Promise.withResolvers<ReadFile>()
    this.#pending = { parts: [], resolve }
    // Whoever waits for an answer keeps the process alive, an idle thread does not.
    this.#worker.ref()
    this.#worker.postMessage(request)
    return promise
  }

  #start(): Worker {
    const limits = this.#threadHeapMiB === undefined ? {} : { maxOldGenerationSizeMb: this.#threadHeapMiB }
    const worker = new Worker(new URL('./reading-worker.ts', import.meta.url), {
      name: 'kpng-files',
      execArgv: [], // the program's own may say what to run
      resourceLimits: limits,
    })
    worker.on('message', (message: WorkerMessage) => this.#take(worker, message))
    worker.on('error', error => this.#ended(worker, error.message))
    worker.on('exit', () => this.#ended(worker, 'its reader has ended'))
    return worker
  }

  #take(worker: Worker, message: WorkerMessage): void {
    if ('part' in message) {
      this.#pending?.parts.push(message.part)
      return
    }
    this.#finish(message.reading)
    worker.unref()
    this.#idle = setTimeout(() => void this[Symbol.asyncDispose](), this.#threadIdleMs).unref()
  }

  #ended(worker: Worker, message: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    if (this.#pending !== undefined) this.#pending.parts = []
    this.#finish({ outcome: 'unreadable', message: `cannot be read: ${message}`, signature: undefined })
  }

  #finish(reading: Reading): void {
    const pending = this.#pending
    this.#pending = undefined
    pending?.resolve({ reading, parts: pending.parts })
  }
}
