import { type Family, ipFamily } from '@kpng/api'
import type { AgentSettings } from './agent-settings.ts'

export interface FamilyCheck {
  /** The agent cannot serve so: undefined when it can. */
  readonly fatal: string | undefined
  /** What is likely to be a mistake, and is only logged. */
  readonly remarks: readonly string[]
}

type FamilySettings = Pick<
  AgentSettings,
  'clusterCIDRs' | 'nodePortAddresses' | 'healthzBindAddress' | 'metricsBindAddress'
>

/**
 * Whether settings fit the families that the node has. `primary` is the family of the node's first address, `families`
 * are those that the kernel has. Source: cmd/kube-proxy/app/server.go checkBadConfig, checkBadIPConfig (1.36); what
 * concerns podCIDRs is the Node's, not a setting.
 */
export function checkFamilies(
  settings: FamilySettings,
  primary: Family,
  families: readonly Family[],
): FamilyCheck {
  const dualStack = families.length > 1
  const other: Family = primary === 'IPv4' ? 'IPv6' : 'IPv4'
  const cluster = `cluster is ${primary}-${dualStack ? 'primary' : 'only'}`
  if (!families.includes(primary))
    return { fatal: `no support for primary IP family ${primary}`, remarks: [] }
  const remarks: string[] = []
  let fatal: string | undefined
  if (onlyOf(other, settings.clusterCIDRs)) {
    const message = `${cluster} but clusterCIDR contains only ${other} addresses`
    if (dualStack) remarks.push(message)
    else fatal = message
  }
  for (const name of ['healthzBindAddress', 'metricsBindAddress'] as const) {
    const address = settings[name]?.address
    if (dualStack || address === undefined || address === '0.0.0.0' || address === '::') continue
    if (ipFamily(address) === other) remarks.push(`${cluster} but ${name} is ${other}`)
  }
  return { fatal, remarks: [...remarks, ...nodePortRemarks(settings, primary)] }
}

/** CIDRs of one family leave the other one open. */
function nodePortRemarks(settings: FamilySettings, primary: Family): string[] {
  const { nodePortAddresses: cidrs, clusterCIDRs } = settings
  if (cidrs === 'primary') return []
  const families = new Set(cidrs.map(ipFamily))
  const dualStack = families.size > 1 || new Set(clusterCIDRs.map(ipFamily)).size > 1
  const open = (['IPv4', 'IPv6'] as const).find(family => !families.has(family))
  if (open === undefined || (open !== primary && !dualStack)) return []
  const [given = ''] = families
  const appears = open === primary ? `${primary}-primary` : 'dual-stack'
  return [
    `cluster appears to be ${appears} but nodePortAddresses contains only ${given} addresses; NodePort connections will be accepted on all local ${open} IPs`,
  ]
}

const onlyOf = (family: Family, cidrs: readonly string[]): boolean =>
  cidrs.length > 0 && cidrs.every(cidr => ipFamily(cidr) === family)
