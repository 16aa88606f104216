import assert from 'node:assert/strict'

/**
 * Fails when the counts are not what a fair choice among `names` gives: chi-square at a significance of one in a
 * million, so that a test which runs every day for years does not fail by chance. Names that were never drawn count
 * as 0, names that are not expected fail.
 */
export function assertUniform(
  counts: Readonly<Record<string, number>>,
  names: readonly string[],
  total: number,
): void {
  const drawn = Object.values(counts).reduce((sum, count) => sum + count, 0)
  assert.equal(drawn, total, JSON.stringify(counts))
  for (const name of Object.keys(counts))
    assert.ok(names.includes(name), `${name} of ${JSON.stringify(counts)}`)
  const expected = total / names.length
  const statistic = names.reduce((sum, name) => sum + ((counts[name] ?? 0) - expected) ** 2 / expected, 0)
  const bound = criticalValue(names.length - 1)
  assert.ok(statistic < bound, `chi-square ${statistic} of ${bound}: ${JSON.stringify(counts)}`)
}

/** Wilson and Hilferty's approximation of the quantile 1 - 1e-6. */
function criticalValue(degreesOfFreedom: number): number {
  const z = 4.753
  const k = 2 / (9 * degreesOfFreedom)
  return degreesOfFreedom * (1 - k + z * Math.sqrt(k)) ** 3
}
