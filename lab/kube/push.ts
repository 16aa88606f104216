import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError, type Problem } from '@kpng/api'
import type { ApiResponse } from '../control-plane/api-client.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { mapLimit } from '../run-command.ts'
import { type ApiObject, pathOf } from './api-objects.ts'

const atATime = 16
const apply = '?fieldManager=kpng-lab&force=true'

/**
 * Makes the objects in the API server what the manifests say, by server-side apply: fields that others have set and the
 * manifests leave open stay. `gone`: keys of what is to be deleted. Gives what the server has refused. Throws io where it
 * does not answer.
 */
export async function pushObjects(
  plane: ControlPlane,
  objects: readonly ApiObject[],
  gone: readonly string[],
): Promise<Problem[]> {
  await mapLimit(gone, atATime, key => plane.request('DELETE', pathOf(key)))
  const problems: Problem[] = []
  const tell = (where: string, response: ApiResponse): void => {
    if (response.status >= 300) problems.push(...refusals(where, response))
  }
  const namespaces = new Set(objects.map(({ namespace }) => namespace).filter(name => name !== ''))
  await mapLimit([...namespaces], atATime, async name => {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
    const path = `/api/v1/namespaces/${name}${apply}`
    tell(`Namespace//${name}`, await plane.request('PATCH', path, { body, contentType: applyType }))
  })
  // One kind after the other: ServiceCIDRs have to be there before the addresses in them are asked for.
  for (const kind of new Set(objects.map(object => object.kind)))
    for (const [key, refusal] of await pushAll(
      plane,
      objects.filter(object => object.kind === kind),
    ))
      tell(key, refusal)
  return problems
}

const applyType = 'application/apply-patch+yaml'
const retryMs = 100
const rounds = 20

/** What the server refuses in the end, by key. */
async function pushAll(
  plane: ControlPlane,
  objects: readonly ApiObject[],
): Promise<ReadonlyArray<readonly [string, ApiResponse]>> {
  let left = objects
  for (let round = 1; ; round++) {
    const refused: Array<readonly [ApiObject, ApiResponse]> = []
    await mapLimit(left, atATime, async object => {
      const response = await pushObject(plane, object)
      if (response.status >= 300) refused.push([object, response])
    })
    if (round === rounds || !refused.some(([, response]) => mayPass(response)))
      return refused.map(([object, response]) => [object.key, response])
    left = refused.map(([object]) => object)
    await sleep(retryMs)
  }
}

/** An address that another of the Services is about to give away, or whose ServiceCIDR the server has only just got. */
const mayPass = ({ status, body }: ApiResponse): boolean =>
  status === 422 &&
  causes(body).some(({ message }) =>
    /already allocated|does not match the current range|allocator not ready/.test(message ?? ''),
  )

/** The last answer of the server: a refusal, or not. */
async function pushObject(plane: ControlPlane, { path, body, status }: ApiObject): Promise<ApiResponse> {
  const applied = (): Promise<ApiResponse> =>
    plane.request('PATCH', `${path}${apply}`, { body, contentType: applyType })
  let response = await applied()
  if (changesImmutable(response)) {
    await plane.request('DELETE', path)
    response = await applied()
  }
  if (response.status >= 300 || status === undefined) return response
  // By merge: two addresses of one type are no mistake, for server-side apply they are.
  const contentType = 'application/merge-patch+json'
  return await plane.request('PATCH', `${path}/status`, { body: { status }, contentType })
}

interface StatusCause {
  readonly field?: string
  readonly message?: string
}

/** A ClusterIP or an addressType: the object has to be made anew. */
const changesImmutable = ({ status, body }: ApiResponse): boolean =>
  status === 422 &&
  causes(body).some(({ message }) => /immutable|may not (be changed|change)/.test(message ?? ''))

function causes(body: unknown): readonly StatusCause[] {
  const details = (body as { details?: { causes?: readonly StatusCause[] } } | null)?.details
  return details?.causes ?? []
}

function refusals(where: string, { status, body }: ApiResponse): Problem[] {
  const found = causes(body).map(({ field = '', message = '' }) => ({
    where,
    field,
    message: `refused by the API server: ${message}`,
  }))
  if (found.length > 0) return found
  const message = (body as { message?: string } | null)?.message ?? `${status}`
  return [{ where, field: '', message: `refused by the API server: ${message}` }]
}

/** What the API server has now, as lists in JSON. Throws io. */
export async function pullLists(plane: ControlPlane, paths: readonly string[]): Promise<unknown[]> {
  return await Promise.all(
    paths.map(async path => {
      const { status, body } = await plane.request('GET', path)
      if (status === 200) return body
      throw new KpngError('io', `GET ${path}: ${status} ${JSON.stringify(body)}`)
    }),
  )
}
