import { readFileSync } from 'node:fs'
import { KpngError, type Problem } from '@kpng/api'
import { agentFields } from './agent-fields.ts'
import { ConfigurationDocument, type Settings } from './document.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'

export interface ReadConfiguration {
  /** By path in an AgentConfiguration: `kubeProxy.mode` for the `mode` of a KubeProxyConfiguration. */
  readonly settings: Settings
  readonly mistakes: readonly Problem[]
}

/** Reads a KubeProxyConfiguration, or an AgentConfiguration with one inside. Tells all that is wrong with its form. */
export function readConfiguration(text: string, file: string): ReadConfiguration {
  const document = new ConfigurationDocument(text, file)
  const settings: Settings = new Map()
  const root = document.root()
  if (root !== undefined) {
    const own = document.text(root, 'kind') === agentFields.kind.default
    if (own) document.read(root, agentFields, settings)
    else document.read(root, kubeProxyFields, settings, '', 'kubeProxy.')
    const { apiVersion, kind } = own ? agentFields : kubeProxyFields
    for (const [name, { default: wanted }] of Object.entries({ apiVersion, kind }))
      if (!root.has(name)) document.mistakes.push({ where: file, field: name, message: `must be ${wanted}` })
  }
  return { settings, mistakes: document.mistakes }
}

/** Throws usage. */
export function readConfigurationFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (reason) {
    throw new KpngError('usage', `configuration ${file} cannot be read`, { cause: reason })
  }
}
