import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ControlPlane } from '@kpng/lab'

/** What a measurement beside an API server is told. */
export interface PlaneAccess {
  readonly url: string
  /** Paths of PEM files; the administrator's. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
  /** With the rights of a proxy. */
  readonly kubeconfig: string
}

export const accessOf = async (plane: ControlPlane): Promise<PlaneAccess> => ({
  url: plane.url,
  ca: plane.ca,
  certificate: join(plane.directory, 'pki/admin.crt'),
  key: join(plane.directory, 'pki/admin.key'),
  kubeconfig: await plane.kubeconfigFor({ user: 'system:kube-proxy' }),
})

/** Runs a program of this directory in that namespace to its end: options and results are JSON. */
export async function runInNetns<T>(program: string, netns: string, options: unknown): Promise<T> {
  const main = join(import.meta.dirname, program)
  // Told to end when this process ends, so that it can clear up.
  const command = [
    '--pdeathsig',
    'TERM',
    '--',
    'nsenter',
    `--net=/run/netns/${netns}`,
    '--',
    process.execPath,
  ]
  const child = spawn('setpriv', [...command, main, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
  return JSON.parse(output) as T
}
