/** The samples in Prometheus' text format whose lines match: name with labels as printed, to value. Default: all. */
export const samplesOf = (text: string, wanted = /^[^#]/): Map<string, number> =>
  new Map(
    text
      .split('\n')
      .filter(line => wanted.test(line))
      .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
