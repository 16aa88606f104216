import type { Problem } from '@kpng/api'
import { type AgentConfiguration, agentFields } from './agent-fields.ts'
import type { Settings } from './document.ts'
import { eachField, isDefault } from './fields.ts'
import { flagKey, type ProxyFlag, type ProxyFlags, proxyFlags } from './proxy-flags.ts'
import { masqueradeSection, periodSection } from './validate.ts'

/** One for each field of the file that has no effect and is not its default, and for each flag that has none. */
export function warningsOf(
  configuration: AgentConfiguration,
  settings: Settings,
  flags: ProxyFlags,
): readonly Problem[] {
  const warnings: Problem[] = []
  const { mode } = configuration.kubeProxy
  for (const [path, field] of eachField(agentFields)) {
    const set = settings.get(path)
    if (set === undefined || (set.field !== '' && isDefault(field, set.value))) continue
    const { effect } = field
    const reason = 'unused' in effect ? reasonOf(path, effect.unused, set.value) : otherSection(path, mode)
    if (reason !== undefined)
      warnings.push({ where: set.where, field: set.field, message: `has no effect: ${reason}` })
  }
  for (const flag of proxyFlags as readonly ProxyFlag[]) {
    if (flags[flagKey(flag.name)] === undefined || flag.path !== undefined) continue
    const where = `--${flag.name}`
    if (flag.name.endsWith('-port') && flag.unused === undefined)
      warnings.push({
        where,
        field: '',
        message: `is deprecated: --${flag.name.replace('-port', '-bind-address')}`,
      })
    else if (flag.name === 'iptables-sync-period' && mode === 'ipvs')
      warnings.push({ where, field: '', message: 'has no effect: in mode ipvs --ipvs-sync-period counts' })
    else if (flag.unused !== undefined && !warnings.some(warning => warning.where === where))
      warnings.push({ where, field: '', message: `has no effect: ${flag.unused}` })
  }
  return warnings
}

/** undefined where the value has an effect, or is what is done anyway. */
function reasonOf(path: string, reason: string, value: unknown): string | undefined {
  if (path === 'kubeProxy.iptables.localhostNodePorts' && value === false) return undefined
  if (path !== 'kubeProxy.featureGates') return reason
  return Object.keys(value as object).every(gate => gate === 'AllowServiceExternalIPs') ? undefined : reason
}

function otherSection(path: string, mode: string): string | undefined {
  const [, name = '', last = ''] = /^kubeProxy\.(iptables|nftables|ipvs)\.(.*)$/.exec(path) ?? []
  const counts = last === 'masqueradeAll' ? masqueradeSection(mode) : periodSection(mode)
  if (name === '' || name === counts) return undefined
  return `in mode ${mode === '' ? '"" (as iptables)' : mode} ${counts}.${last} counts`
}
