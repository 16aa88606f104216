import koffi from 'koffi'

/** A wait for a descriptor on the event loop's own epoll: no thread, no timer. */
export interface ReadableWait {
  /** Resolves when the descriptor can be read or the wait is cancelled. */
  readonly done: Promise<void>
  cancel(): void
}

/** Keeps the process alive while it waits. One wait at a time for a descriptor. */
export const whenReadable = (fd: number): ReadableWait => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let handle: ReturnType<typeof koffi.node.poll> | undefined
  const cancel = (): void => {
    handle?.close()
    handle = undefined
    resolve()
  }
  handle = koffi.node.poll(fd, { readable: true }, cancel)
  return { done: promise, cancel }
}
