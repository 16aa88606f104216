/** What Go prints for a time that was never set. */
export const zeroTime = '0001-01-01T00:00:00Z'

/** Milliseconds since 1970 as RFC3339Nano in UTC: the fraction without its trailing zeros, and none where it is 0. */
export const rfc3339Nano = (wallMs: number): string => new Date(wallMs).toISOString().replace(/\.?0*Z$/, 'Z')
