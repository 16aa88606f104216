import type { Problem } from '@kpng/api'

/** `c.yaml:3:5: iptables.syncPeriod: must be more than 0`. */
export const describeMistake = ({ where, field, message }: Problem): string =>
  [where, field, message].filter(part => part !== '').join(': ')
