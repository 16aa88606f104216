/** A change of one endpoint that is about to be made. */
export interface ExpectedChange {
  readonly clusterIP: string
  /** That the change brings in. */
  readonly newAddress: string
}

/** A service proxy of one node, measured from outside: a process, and what it has put into the kernel. */
export interface MeasuredProxy extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  /** Starts it; resolves with the time from exec until all Services are programmed, and with what was seen of it. */
  start(): Promise<ColdStart>
  /**
   * Begins to look for a change; `carriedNs` is the time (CLOCK_MONOTONIC) at which the datapath carries it. One at a
   * time.
   */
  expect(change: ExpectedChange): Promise<{ readonly carriedNs: Promise<bigint> }>
  /** Throws unless the datapath has these backends, and nothing else, for each ClusterIP. */
  verify(expected: ReadonlyMap<string, readonly string[]>): Promise<void>
  /** Ends it; gives what it has told of itself. */
  stop(): Promise<Readonly<Record<string, unknown>>>
}

export interface ColdStart {
  readonly coldMs: number
  readonly cpuSeconds: number
  readonly details: Readonly<Record<string, unknown>>
}
