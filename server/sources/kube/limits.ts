/** Every time and bound of a reflector. */
export interface ReflectorLimits {
  /** The first wait after a failure, at most. Default 500 ms. */
  readonly firstBackoffMs: number
  /** The longest wait that is our own idea. Default 30 s. */
  readonly maxBackoffMs: number
  /** The longest wait that a server may ask for (Retry-After). Default 60 s. */
  readonly maxRetryAfterMs: number
  /** A watch that lived for so long was a good one: the next wait is the first again. Default 10 s. */
  readonly steadyAfterMs: number
  /** A watch that ends in order is taken up again at once, but not more often than this. Default 1 s. */
  readonly minWatchMs: number
  /** An answer begins within. Default 60 s. */
  readonly answerWithinMs: number
  /** The longest pause inside of a list. Default 30 s. */
  readonly listSilenceMs: number
  /** The longest pause inside of a watch; a server sends a bookmark about once a minute. Default 150 s. */
  readonly watchSilenceMs: number
  /** The server ends a watch after this, up to twice as long. Default 300 s. */
  readonly watchSeconds: number
  /** An API that was not there is looked for again. Default 600 s. */
  readonly absentRetryMs: number
  /** Answers in a row that refuse or break a watch before a new list is asked for. Default 5. */
  readonly maxResumes: number
  /** Longest event. Default 8 MiB: etcd takes objects of up to 1.5 MiB. */
  readonly maxEventBytes: number
  /** Longest page of a list, uncompressed. Default 256 MiB. */
  readonly maxPageBytes: number
  /** Objects a page. Default 500. */
  readonly pageSize: number
  /** Pages a list. Default 10,000. */
  readonly maxPages: number
}

export const defaultLimits: ReflectorLimits = {
  firstBackoffMs: 500,
  maxBackoffMs: 30_000,
  maxRetryAfterMs: 60_000,
  steadyAfterMs: 10_000,
  minWatchMs: 1000,
  answerWithinMs: 60_000,
  listSilenceMs: 30_000,
  watchSilenceMs: 150_000,
  watchSeconds: 300,
  absentRetryMs: 600_000,
  maxResumes: 5,
  maxEventBytes: 8 << 20,
  maxPageBytes: 256 << 20,
  pageSize: 500,
  maxPages: 10_000,
}
