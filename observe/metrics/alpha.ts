/** kube-proxy says of each metric how stable it is, in its help. */
export const alpha = (help: string): string => `[ALPHA] ${help}`

/** Powers of two, 15 of them: 0.001, 0.002 … 16.384 s. */
export const syncBuckets: readonly number[] = Array.from({ length: 15 }, (_, k) => 0.001 * 2 ** k)

const range = (first: number, step: number, count: number): number[] =>
  Array.from({ length: count }, (_, k) => first + step * k)

/** Those of the service level objective for network programming. The 0 is there because kube-proxy has it. */
export const programmingBuckets: readonly number[] = [
  0,
  ...range(0.25, 0.25, 2),
  ...range(1, 1, 59),
  ...range(60, 5, 12),
  ...range(120, 30, 7),
]
