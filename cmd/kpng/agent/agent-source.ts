import { KpngError, type Problem } from '@kpng/api'
import {
  type ApiAnswer,
  type ApiClient,
  clusterAccess,
  FileSource,
  KubeSource,
  type Store,
  UndiciTransport,
} from '@kpng/server'
import type { KubeFlags } from '../kube-options.ts'
import { version } from '../version.ts'
import type { ClientConnection } from './agent-settings.ts'

/** Where an agent's objects come from. */
export interface AgentSource extends AsyncDisposable {
  /** Begins to ask where answers take their time; nothing is written before `start`. */
  prepare?(): void
  start(): Promise<void>
  /** Looks at everything now; resolves when the store has it. */
  rescan(): Promise<void>
  problems(): Problem[]
  /** What is passed over and is no mistake, such as objects of other kinds. */
  notes?(): Problem[]
  /** To write to the API server that the objects come from; undefined where they come from elsewhere. */
  readonly client?: ApiClient
}

interface SourceContext {
  readonly store: Store
  readonly nodeName: string
  /** To be told when problems may have changed. */
  readonly onRead: () => void
  /** To be told how each request to an API server ended. */
  readonly onAnswer: (answer: ApiAnswer) => void
}

/** Made before anything is touched on the machine: throws `usage` then, or not at all. */
export type OpenSource = (context: SourceContext) => AgentSource

export function fileSource(paths: readonly string[]): OpenSource {
  if (paths.length === 0) throw new KpngError('usage', 'kpng file: name what to read with -i PATH')
  return ({ store, onRead }) => new FileSource(store, paths, { onRead })
}

/** connection: what the configuration says of it; flags go first. */
export function kubeSource(flags: KubeFlags, connection: ClientConnection): OpenSource {
  const access = clusterAccess({
    // '' is not given, as in kube-proxy.
    kubeconfig: flags.kubeconfig || connection.kubeconfig || undefined,
    server: flags.server || flags.master,
  })
  const { qps, burst } = connection
  const rate = qps > 0 ? { qps, burst } : undefined
  const serviceProxyName = flags.serviceProxyName === '' ? undefined : flags.serviceProxyName
  return ({ store, nodeName, onRead, onAnswer }) => {
    const transport = new UndiciTransport(access, { userAgent: `kpng/${version}`, rate, onAnswer })
    return new KubeSource(store, transport, { nodeName, serviceProxyName, onRead })
  }
}
