import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'

const builder = join(import.meta.dirname, '../../hack/kubernetes')

type Program = 'etcd' | 'kube-apiserver' | 'kubectl'

/** Directory of the programs: KPNG_KUBERNETES_BIN, else where hack/kubernetes of this checkout puts them. */
function directory(): string {
  const named = process.env.KPNG_KUBERNETES_BIN
  if (named !== undefined && named !== '') return named
  if (existsSync(builder)) return execFileSync(builder, ['--where'], { encoding: 'utf8' }).trim()
  throw new KpngError(
    'unsupported',
    'KPNG_KUBERNETES_BIN does not say where etcd, kube-apiserver and kubectl are',
  )
}

/** Paths of the programs that a control plane consists of. Throws unsupported where one is missing. */
export function controlPlaneBinaries(): Readonly<Record<Program, string>> {
  const where = directory()
  const paths = {
    etcd: join(where, 'etcd'),
    'kube-apiserver': join(where, 'kube-apiserver'),
    kubectl: join(where, 'kubectl'),
  }
  const missing = Object.entries(paths).filter(([, path]) => !existsSync(path))
  if (missing.length === 0) return paths
  const names = missing.map(([name]) => name).join(', ')
  const howTo = existsSync(builder) ? `: ${builder} builds them` : ''
  throw new KpngError('unsupported', `no ${names} in ${where}${howTo}`)
}
