import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'

/** Where every lab keeps what is not in the kernel; one directory per lab. */
export const labRoot = '/run/kpng/lab'
/** Where agents keep theirs, one directory per instance. */
export const agentRoot = '/run/kpng'
const netnsRoot = '/run/netns'

/** Throws usage unless the name can be part of file names and instance names. */
export function checkLabName(name: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$/.test(name))
    throw new KpngError(
      'usage',
      `lab name ${JSON.stringify(name)}: must be 1 to 48 of a-z 0-9 - and begin and end with a letter or digit`,
    )
  return name
}

/** Node names become directory names: a DNS subdomain, as Kubernetes wants it. */
export const isNodeName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(name)

export const labDir = (lab: string): string => join(labRoot, lab)
export const statePath = (lab: string): string => join(labDir(lab), 'state.json')
/** A symbolic link to the copy of the manifests in force; the agents watch it. */
export const manifestsPath = (lab: string): string => join(labDir(lab), 'manifests')
export const serverSocketPath = (lab: string): string => join(labDir(lab), 'server.sock')
/** Files of the lab's etcd and API server. */
export const controlPlaneDir = (lab: string): string => join(labDir(lab), 'control-plane')
/** A node's name may be as long as a file's, and it is only a part of this one. */
export const logPath = (lab: string, process: string): string => {
  const stem = process.length <= 200 ? process : `${process.slice(0, 100)}~${shortHash(process)}`
  return join(labDir(lab), `${stem}.log`)
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10)

/**
 * Namespaces are called `kpng-<lab>-<rest>` where rest has no '-': so that lab `a` never takes a namespace of
 * lab `a-b` for its own. Node names keep no '-' (it becomes '_', which no node name has).
 */
const netnsName = (lab: string, rest: string): string => {
  const name = `kpng-${lab}-${rest}`
  return name.length <= 200 ? name : `kpng-${lab}-${rest.slice(0, 100)}~${shortHash(rest)}`
}

export const fabricNetns = (lab: string): string => netnsName(lab, 'fabric')
export const nodeNetns = (lab: string, node: string): string =>
  netnsName(lab, `node_${node.replaceAll('-', '_')}`)
export const podNetns = (lab: string, address: string): string => netnsName(lab, `pod_${address}`)
export const clientNetns = (lab: string, address: string): string => netnsName(lab, `client_${address}`)
export const netnsPath = (netns: string): string => join(netnsRoot, netns)
export const namespaceExists = (netns: string): boolean => existsSync(netnsPath(netns))

/** The lab that a namespace belongs to; undefined when it is no lab's. */
export function labOfNetns(netns: string): string | undefined {
  const match = /^kpng-(.+)-(?:fabric|(?:node|pod|client)_[^-]*)$/.exec(netns)
  return match?.[1]
}

/** The agent's instance: `<lab>-<node>`, shortened with a hash where that is too long for an instance name. */
export function instanceName(lab: string, node: string): string {
  const name = `${lab}-${node}`
  if (name.length <= 63 && name === name.toLowerCase()) return name
  return `${name
    .toLowerCase()
    .slice(0, 52)
    .replace(/[^a-z0-9]+$/, '')}-${shortHash(node)}`
}
