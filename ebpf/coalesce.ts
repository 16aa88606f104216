/**
 * At most one run at a time, and one that waits: a caller gets a run that began after its call, together with
 * all others who called while the one before was under way.
 */
export const coalesce = (run: () => Promise<void>): (() => Promise<void>) => {
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined

  const start = (): Promise<void> => {
    const started = run()
    const ended = started
      .catch(() => {}) // the callers of that run hear of it
      .then(() => {
        if (current === ended) current = undefined
      })
    current = ended
    return started
  }

  return () => {
    if (current === undefined) return start()
    next ??= current.then(() => {
      next = undefined
      return start()
    })
    return next
  }
}
