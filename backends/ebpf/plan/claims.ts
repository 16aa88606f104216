import type { Problem } from '@kpng/api'
import { type Frontend, type FrontendKind, fieldOf } from './service-plan.ts'

/** Nobody takes a ClusterIP away by naming it as an external IP. */
const RANK: Readonly<Record<FrontendKind, number>> = {
  ClusterIP: 0,
  LoadBalancer: 1,
  ExternalIP: 2,
  NodePort: 3,
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Orders those who want one frontend: who comes first is served. */
export const compareClaims = (a: Frontend, b: Frontend): number =>
  RANK[a.kind] - RANK[b.kind] ||
  compareText(a.service, b.service) ||
  compareText(a.servicePort, b.servicePort)

/**
 * Which service port each frontend belongs to when several want it: decided by what they are (kind, then
 * namespace and name), never by who came first. The others are served when the winner goes.
 */
export class Claims {
  /** Claims by frontend key, the winner first. */
  readonly #claims = new Map<string, Frontend[]>()
  readonly #byService = new Map<string, readonly Frontend[]>()
  /** Keys of the frontends that several claim. */
  readonly #contested = new Set<string>()

  /** Frontends with a claim. */
  get size(): number {
    return this.#claims.size
  }

  /** Replaces what a Service claims; no frontends = it is gone. Gives the other Services that won or lost by it. */
  set(service: string, frontends: readonly Frontend[]): Set<string> {
    const touched = new Set<string>()
    const before = this.#byService.get(service) ?? []
    const winners = new Map<string, Frontend | undefined>()
    for (const { key } of [...before, ...frontends]) winners.set(key, this.winner(key))
    for (const { key } of before) {
      const rest = (this.#claims.get(key) ?? []).filter(claim => claim.service !== service)
      if (rest.length > 0) this.#claims.set(key, rest)
      else this.#claims.delete(key)
    }
    for (const frontend of frontends) {
      const others = this.#claims.get(frontend.key)
      if (others === undefined) this.#claims.set(frontend.key, [frontend])
      else others.splice(others.findLastIndex(other => compareClaims(other, frontend) < 0) + 1, 0, frontend)
    }
    if (frontends.length > 0) this.#byService.set(service, frontends)
    else this.#byService.delete(service)
    for (const [key, old] of winners) {
      if ((this.#claims.get(key)?.length ?? 0) > 1) this.#contested.add(key)
      else this.#contested.delete(key)
      const now = this.winner(key)
      if (old?.servicePort === now?.servicePort) continue
      if (old !== undefined) touched.add(old.service)
      if (now !== undefined) touched.add(now.service)
    }
    touched.delete(service)
    return touched
  }

  winner(key: string): Frontend | undefined {
    return this.#claims.get(key)?.[0]
  }

  claims(service: string): readonly Frontend[] {
    return this.#byService.get(service) ?? []
  }

  /** The frontends that are a Service's own to serve. */
  won(service: string): Frontend[] {
    return this.claims(service).filter(claim => this.winner(claim.key) === claim)
  }

  /** What Services want and others have. */
  problems(): Problem[] {
    const problems: Problem[] = []
    for (const key of this.#contested) {
      const [winner, ...others] = this.#claims.get(key) ?? []
      if (winner !== undefined) problems.push(...others.map(other => conflict(other, winner)))
    }
    return problems
  }
}

function conflict(claim: Frontend, winner: Frontend): Problem {
  const what = claim.kind === 'NodePort' ? `NodePort ${claim.port}/${claim.protocol}` : claim.key
  const message = `${what} is served for ${winner.servicePort}, which claims it as well (${winner.kind}); served for ${claim.servicePort} when that one goes`
  return { where: claim.service, field: fieldOf(claim.kind), message, reason: 'FrontendConflict' }
}
