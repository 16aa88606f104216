import { KpngError, type Problem, parseIP } from '@kpng/api'
import { type AgentConfiguration, agentFields } from './agent-fields.ts'
import { describeMistake } from './describe-mistake.ts'
import type { Setting, Settings } from './document.ts'
import { eachField, valuesOf } from './fields.ts'
import { flagKey, type ProxyFlag, type ProxyFlags, proxyFlags } from './proxy-flags.ts'
import { readConfiguration, readConfigurationFile } from './read-configuration.ts'
import { masqueradeSection, periodSection, validate } from './validate.ts'
import { warningsOf } from './warnings.ts'

/** Flags that set a field of the AgentConfiguration itself, with values that were read already. */
export type OwnFlags = {
  readonly [K in Exclude<keyof AgentConfiguration, 'apiVersion' | 'kind' | 'kubeProxy'>]?:
    | AgentConfiguration[K]
    | undefined
}

export interface EffectiveConfiguration {
  readonly configuration: AgentConfiguration
  /** What was set and has no effect. */
  readonly warnings: readonly Problem[]
  /** By path in an AgentConfiguration: what was set by a flag or in the file. */
  readonly settings: Settings
}

export interface ConfigurationInput {
  /** --config. */
  readonly file?: string | undefined
  /** What the file says, where it was read already. */
  readonly text?: string
  readonly own?: OwnFlags
  readonly proxy?: ProxyFlags
}

/** Flag before file before default. Throws usage, with all mistakes. */
export function effectiveConfiguration(input: ConfigurationInput): EffectiveConfiguration {
  const { file } = input
  const text = input.text ?? (file === undefined ? undefined : readConfigurationFile(file))
  const read = text === undefined ? undefined : readConfiguration(text, file ?? '')
  const settings: Settings = new Map(read?.settings)
  const mistakes = [...(read?.mistakes ?? [])]
  for (const [name, value] of Object.entries(input.own ?? {}))
    if (value !== undefined) settings.set(name, { value, where: `--${kebab(name)}`, field: '' })
  applyProxyFlags(input.proxy ?? {}, settings, mistakes)

  const ports = readPortFlags(input.proxy ?? {}, mistakes)
  const values = valuesOf(agentFields, valuesIn(settings))
  const kubeProxy = { ...values.kubeProxy, ...listenAddresses(values.kubeProxy, settings, ports) }
  const configuration = { ...values, kubeProxy }
  validate(kubeProxy, (path, message, inside = '') => {
    const set = settings.get(`kubeProxy.${path}`)
    const field = set?.field === '' ? '' : `${set?.field ?? path}${inside}`
    mistakes.push({ where: set?.where ?? file ?? '', field, message })
  })
  if (mistakes.length > 0) throw new KpngError('usage', mistakes.map(describeMistake).join('\n'))
  return { configuration, warnings: warningsOf(configuration, settings, input.proxy ?? {}), settings }
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

const valuesIn = (settings: Settings): Map<string, unknown> =>
  new Map([...settings].map(([path, { value }]) => [path, value]))

function applyProxyFlags(flags: ProxyFlags, settings: Settings, mistakes: Problem[]): void {
  for (const flag of proxyFlags as readonly ProxyFlag[]) {
    const text = flags[flagKey(flag.name)]
    if (text === undefined || flag.path === undefined) continue
    const set = readFlag(flag, flag.path, text, mistakes)
    if (set !== undefined) settings.set(`kubeProxy.${flag.path}`, set)
  }
  const mode = String(settings.get('kubeProxy.mode')?.value ?? '')
  for (const [name, path] of [
    ['masquerade-all', `${masqueradeSection(mode)}.masqueradeAll`],
    ['iptables-sync-period', mode === 'ipvs' ? undefined : `${periodSection(mode)}.syncPeriod`],
    ['iptables-min-sync-period', mode === 'ipvs' ? undefined : `${periodSection(mode)}.minSyncPeriod`],
  ] as const) {
    const text = flags[flagKey(name)]
    if (text === undefined || path === undefined) continue
    const set = readFlag({ name }, path, text, mistakes)
    if (set !== undefined) settings.set(`kubeProxy.${path}`, set)
  }
}

function readFlag(
  flag: ProxyFlag,
  path: string,
  given: string | true,
  mistakes: Problem[],
): Setting | undefined {
  const where = flag.name === 'v' ? '-v' : `--${flag.name}`
  const text = given === true ? 'true' : given.replace(flag.name === 'v' ? /^=/ : /^$/, '')
  const value = fieldAt(path)?.type.parse(text, (_inside, message) =>
    mistakes.push({ where, field: '', message }),
  )
  return value === undefined ? undefined : { value, where, field: '' }
}

const fieldsByPath = new Map(eachField(agentFields.kubeProxy.fields))
const fieldAt = (path: string) => fieldsByPath.get(path)

const PORT_FLAGS = { healthzBindAddress: 'healthz-port', metricsBindAddress: 'metrics-port' } as const
type ListenPath = keyof typeof PORT_FLAGS

/** --healthz-port and --metrics-port, by the field that they belong to. */
function readPortFlags(flags: ProxyFlags, mistakes: Problem[]): Map<ListenPath, number> {
  const ports = new Map<ListenPath, number>()
  for (const path of ['healthzBindAddress', 'metricsBindAddress'] as const) {
    const name = PORT_FLAGS[path]
    const text = flags[flagKey(name)]
    if (text === undefined) continue
    if (/^\d{1,5}$/.test(String(text)) && Number(text) <= 65_535) ports.set(path, Number(text))
    else mistakes.push({ where: `--${name}`, field: '', message: `must be a port, or 0, is "${text}"` })
  }
  return ports
}

const join = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** What is left open: all addresses for health, loopback for metrics, in the family of bindAddress. '' = off. */
function listenAddresses(
  given: AgentConfiguration['kubeProxy'],
  settings: Settings,
  ports: ReadonlyMap<ListenPath, number>,
): Pick<AgentConfiguration['kubeProxy'], ListenPath> {
  const ipv6 = parseIP(given.bindAddress)?.length === 16
  const resolve = (path: ListenPath, host: string, fallback: number): string => {
    const text = given[path]
    const port = ports.get(path) ?? fallback
    // An empty field means the default; an empty flag turns the server off.
    if (port === 0 || (text === '' && settings.get(`kubeProxy.${path}`)?.field === '')) return ''
    if (text === '') return join(host, port)
    return parseIP(text) === undefined ? text : join(text, port)
  }
  return {
    healthzBindAddress: resolve('healthzBindAddress', ipv6 ? '::' : '0.0.0.0', 10_256),
    metricsBindAddress: resolve('metricsBindAddress', ipv6 ? '::1' : '127.0.0.1', 10_249),
  }
}
