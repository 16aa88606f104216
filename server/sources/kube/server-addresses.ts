import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { canonicalIP } from '@kpng/api'
import type { ClusterAccess } from './cluster-access.ts'

/** Which addresses the API server's URL stands for, as far as connecting has shown. */
export class ServerAddresses {
  /** Canonical. A name stands for those of its last look-up; empty behind a proxy, which looks them up itself. */
  known: ReadonlySet<string> = new Set()

  constructor({ server, proxy }: ClusterAccess) {
    const host = server.hostname.replace(/^\[|\]$/g, '')
    const address = proxy === undefined && isIP(host) !== 0 ? canonicalIP(host) : undefined
    if (address !== undefined) this.known = new Set([address])
  }

  /** Node's own, and takes note. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error === null) this.#note(address)
      callback(error, address, family)
    })
  }

  #note(found: string | readonly { readonly address: string }[]): void {
    const all = typeof found === 'string' ? [found] : found.map(it => it.address)
    this.known = new Set(all.map(it => canonicalIP(it)).filter(it => it !== undefined))
  }
}
