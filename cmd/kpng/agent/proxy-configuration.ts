import { readFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { parseDocument } from 'yaml'

/** What this agent uses of kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration. */
export interface ProxyConfiguration {
  readonly hostnameOverride?: string
  readonly nodePortAddresses?: readonly string[]
}

const kind = 'KubeProxyConfiguration'
const group = 'kubeproxy.config.k8s.io/'

/**
 * Reads a KubeProxyConfiguration. Fields that the proxy has no use for are ignored; all mistakes in those that it
 * uses are told at once, with their paths.
 */
export function parseProxyConfiguration(text: string, file: string): ProxyConfiguration {
  const document = parseDocument(text)
  const syntax = document.errors[0]
  if (syntax !== undefined) throw new KpngError('usage', `${file}: ${syntax.message}`)
  const root: unknown = document.toJS()
  if (typeof root !== 'object' || root === null || Array.isArray(root))
    throw new KpngError('usage', `${file}: not a ${kind}`)
  const fields = new Map(Object.entries(root))
  const mistakes: string[] = []
  if (fields.get('kind') !== kind) mistakes.push(`kind: must be ${kind}, is ${show(fields.get('kind'))}`)
  const apiVersion = fields.get('apiVersion')
  if (typeof apiVersion !== 'string' || !apiVersion.startsWith(group))
    mistakes.push(`apiVersion: must be ${group}v1alpha1, is ${show(apiVersion)}`)

  const hostnameOverride = fields.get('hostnameOverride') ?? undefined
  if (hostnameOverride !== undefined && typeof hostnameOverride !== 'string')
    mistakes.push(`hostnameOverride: must be a string, is ${show(hostnameOverride)}`)
  const nodePortAddresses = fields.get('nodePortAddresses') ?? undefined
  if (nodePortAddresses !== undefined && !isStrings(nodePortAddresses))
    mistakes.push(
      `nodePortAddresses: must be a list of CIDRs or of the one word primary, is ${show(nodePortAddresses)}`,
    )
  if (mistakes.length > 0)
    throw new KpngError('usage', mistakes.map(mistake => `${file}: ${mistake}`).join('\n'))
  return {
    ...(typeof hostnameOverride === 'string' && hostnameOverride !== '' ? { hostnameOverride } : {}),
    ...(isStrings(nodePortAddresses) && nodePortAddresses.length > 0 ? { nodePortAddresses } : {}),
  }
}

export function readProxyConfiguration(file: string): ProxyConfiguration {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (reason) {
    throw new KpngError('usage', `configuration ${file} cannot be read`, { cause: reason })
  }
  return parseProxyConfiguration(text, file)
}

const show = (value: unknown): string => JSON.stringify(value) ?? 'missing'

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string')
