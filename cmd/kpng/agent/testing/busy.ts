/** Uses so much CPU time, however long that takes. */
export function busy(cpuMs: number): void {
  const before = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(before)
    if (user + system >= cpuMs * 1_000) return
  }
}
