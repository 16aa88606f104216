import { KpngError } from '@kpng/api'
import { outsideCgroup } from './cgroup.ts'
import { clientRule, wireClient, wirePod } from './fabric.ts'
import { IpWork, runIpWork } from './ip-batch.ts'
import { changeState } from './locked-state.ts'
import { clientNetns, fabricNetns, namespaceExists, netnsPath, podNetns } from './names.ts'
import { addNamespaces } from './network-namespaces.ts'
import { nodePlace, type Place, podPlace } from './place.ts'
import { runCommand } from './run-command.ts'
import { type ClientState, type LabState, type PodState, requireState, saveState } from './state.ts'
import type { Who } from './who.ts'

export interface WhoOptions {
  /** The node of a pod that no slice names. */
  readonly on?: string
  /** The node that a client routes everything through; a client that exists changes to it. */
  readonly via?: string
}

/**
 * Where WHO's processes run; pods and clients are made on first use, and can be reached on return. Throws usage
 * where he cannot be meant, not-found where there is no such lab.
 */
export async function resolveWho(lab: string, who: Who, options: WhoOptions = {}): Promise<Place> {
  const state = requireState(lab)
  if (!state.complete)
    throw new KpngError('not-found', `lab ${lab} is not up: kpng lab up was interrupted, or is still at it`)
  for (const node of [options.on, options.via]) if (node !== undefined) requireNode(state, node)
  switch (who.kind) {
    case 'node':
      requireNode(state, who.name)
      return nodePlace(state, who.name)
    case 'pod': {
      const pod = state.pods[who.address] ?? (await makePod(lab, who.address, options.on))
      return podPlace(state, who.address, pod)
    }
    case 'client': {
      const known = state.clients[who.address]
      const stays = known !== undefined && (options.via === undefined || known.via === options.via)
      if (!stays) await makeClient(lab, who.address, options.via)
      return { netns: clientNetns(lab, who.address), cgroup: outsideCgroup(state.cgroup) }
    }
  }
}

function requireNode(state: LabState, name: string): void {
  if (state.nodes[name] !== undefined) return
  const names = Object.keys(state.nodes).sort().join(', ')
  throw new KpngError('usage', `lab ${state.name} has no node ${name}${names === '' ? '' : `, but ${names}`}`)
}

function makePod(lab: string, address: string, on: string | undefined): Promise<PodState> {
  return changeState(lab, `making pod/${address}`, async state => {
    const known = state.pods[address]
    if (known !== undefined) return known
    const owner = Object.entries(state.nodes).find(([, node]) =>
      node.addresses.some(prefix => prefix.startsWith(`${address}/`)),
    )
    if (owner !== undefined) throw new KpngError('usage', `${address} is an address of node/${owner[0]}`)
    if (on === undefined)
      throw new KpngError('usage', `no EndpointSlice names pod/${address}: say --on NODE to make one there`)
    const pod: PodState = { index: state.nextIndex++, node: on, inNode: false, hasNamespace: true, ports: [] }
    state.pods[address] = pod
    saveState(state)
    const work = new IpWork()
    wirePod(work, state, address, pod)
    await make(podNetns(lab, address), work)
    return pod
  })
}

function makeClient(lab: string, address: string, via: string | undefined): Promise<void> {
  return changeState(lab, `making client/${address}`, async state => {
    let client = state.clients[address]
    if (client === undefined) {
      client = { index: state.nextIndex++, via: null }
      state.clients[address] = client
      saveState(state)
      const work = new IpWork()
      wireClient(work, lab, address, client)
      await make(clientNetns(lab, address), work)
    }
    if (via !== undefined && client.via !== via) await routeVia(state, client, via)
  })
}

/** A namespace that was left half made is made anew. */
async function make(netns: string, work: IpWork): Promise<void> {
  if (!namespaceExists(netns)) await addNamespaces([netns])
  const [failure] = await runIpWork(work)
  if (failure !== undefined)
    throw new KpngError('kernel', `${failure.owner}: ip ${failure.text}: ${failure.error}`)
}

async function routeVia(state: LabState, client: ClientState, via: string): Promise<void> {
  const before = clientRule(state, client)
  client.via = via
  const after = clientRule(state, client)
  for (const family of ['-4', '-6']) {
    const enter = ['nsenter', `--net=${netnsPath(fabricNetns(state.name))}`, '--', 'ip', family, 'rule']
    // The new rule first: there is no moment without one.
    for (const [verb, rule] of [
      ['add', after],
      ['del', before],
    ] as const) {
      if (rule === undefined) continue
      const result = await runCommand([...enter, verb, ...rule])
      if (result.exitCode !== 0) throw new KpngError('kernel', `ip rule ${verb}: ${result.stderr.trim()}`)
    }
  }
}
