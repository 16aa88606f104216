import type { Impersonation } from './cluster-access.ts'

/** As client-go says it: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/ */
export function impersonationHeaders({
  user,
  uid,
  groups,
  extra,
}: Impersonation): Record<string, string | string[]> {
  return {
    'impersonate-user': user,
    ...(uid !== undefined && { 'impersonate-uid': uid }),
    ...(groups.length > 0 && { 'impersonate-group': [...groups] }),
    ...Object.fromEntries(
      Object.entries(extra).map(([name, values]) => [
        `impersonate-extra-${encodeURIComponent(name)}`,
        [...values],
      ]),
    ),
  }
}
