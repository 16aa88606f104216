import { KpngError } from '@kpng/api'
import { outsideCgroup } from './cgroup.ts'
import { owner } from './fabric.ts'
import { changeState } from './locked-state.ts'
import { clientNetns } from './names.ts'
import { nodePlace, type Place, podPlace } from './place.ts'
import { placeClient, placePod } from './reshape.ts'
import { type LabState, type PodState, requireState } from './state.ts'
import { describeIpFailure, weave } from './weave.ts'
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
      const known = state.pods[who.address]
      const pod = known?.isWired === true ? known : await makePod(lab, who.address, options.on)
      return podPlace(state, who.address, pod)
    }
    case 'client': {
      const known = state.clients[who.address]
      const stays = known?.isWired === true && (options.via ?? known.via) === known.via
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
    const pod = known ?? placeNewPod(state, address, on)
    if (!pod.isWired) await weaveFor(state, owner.pod(address))
    return pod
  })
}

function placeNewPod(state: LabState, address: string, on: string | undefined): PodState {
  const host = Object.entries(state.nodes).find(([, node]) =>
    node.addresses.some(prefix => prefix.startsWith(`${address}/`)),
  )
  if (host !== undefined) throw new KpngError('usage', `${address} is an address of node/${host[0]}`)
  if (on === undefined)
    throw new KpngError('usage', `no EndpointSlice names pod/${address}: say --on NODE to make one there`)
  return placePod(state, address, { node: on, inNode: false, ports: [] })
}

function makeClient(lab: string, address: string, via: string | undefined): Promise<void> {
  return changeState(lab, `making client/${address}`, async state => {
    const client = placeClient(state, address, via ?? state.clients[address]?.via ?? null)
    if (!client.isWired) await weaveFor(state, owner.client(address))
  })
}

/** What fails for others is their affair: it is told when they are used. */
async function weaveFor(state: LabState, whom: string): Promise<void> {
  const failure = (await weave(state)).find(each => each.owner === whom)
  if (failure !== undefined) throw new KpngError('kernel', describeIpFailure(failure))
}
