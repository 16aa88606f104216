import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const builder = join(import.meta.dirname, '../../hack/kubernetes')

/**
 * The path of kube-proxy: in KPNG_KUBERNETES_BIN, else built with the rest of the control plane by hack/kubernetes,
 * which does only what is missing.
 */
export function kubeProxyProgram(): string {
  const named = process.env.KPNG_KUBERNETES_BIN
  if (named !== undefined && named !== '') return join(named, 'kube-proxy')
  execFileSync(builder, ['etcd', 'kube-apiserver', 'kubectl', 'kube-proxy'], { stdio: 'inherit' })
  return join(execFileSync(builder, ['--where'], { encoding: 'utf8' }).trim(), 'kube-proxy')
}
