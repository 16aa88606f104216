import type { Problem } from '@kpng/api'
import { type Command, InvalidArgumentError } from 'commander'

/** The value of a label: it becomes part of a selector. */
function labelValue(value: string): string {
  if (!/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value))
    throw new InvalidArgumentError('must be a label value: up to 63 of A-Z a-z 0-9 _ . -')
  return value
}

/** KPNG's choice of labels and annotations: for sinks that pass objects on. */
const KEPT = {
  withServiceLabels: '--with-service-labels',
  withServiceAnnotations: '--with-service-annotations',
  withNodeLabels: '--with-node-labels',
  withNodeAnnotations: '--with-node-annotations',
} as const

/** Comma lists, any number of times. */
const globs = (words: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  ...words.split(',').filter(it => it !== ''),
]

/** What the source `kube` takes, by KPNG's names. */
export function kubeOptions(command: Command): Command {
  for (const flag of Object.values(KEPT)) {
    const [what = '', kind = ''] = flag.slice('--with-'.length).split('-')
    command.option(`${flag} <globs>`, `${kind} of ${what}s to keep: accepted, no sink uses any yet`, globs)
  }
  return command
    .option(
      '--kubeconfig <file>',
      'how to reach the API server (default: that of --config, KUBECONFIG, else as a pod does)',
    )
    .option('--server <url>', 'the API server, whatever the kubeconfig says')
    .option('--master <url>', 'the same, by kube-proxy’s name')
    .option(
      '--service-proxy-name <name>',
      'Services labelled service.kubernetes.io/service-proxy-name=<name> (default: those without the label)',
      labelValue,
    )
}

/** What the options above parse into. */
export interface KubeFlags {
  readonly kubeconfig?: string
  readonly server?: string
  readonly master?: string
  /** '': as if not given. */
  readonly serviceProxyName?: string
  readonly withServiceLabels?: readonly string[]
  readonly withServiceAnnotations?: readonly string[]
  readonly withNodeLabels?: readonly string[]
  readonly withNodeAnnotations?: readonly string[]
}

/** Flags that were given and have no effect. */
export function kubeWarnings(flags: KubeFlags): Problem[] {
  return (Object.keys(KEPT) as (keyof typeof KEPT)[])
    .filter(it => (flags[it] ?? []).length > 0)
    .map(it => ({
      where: KEPT[it],
      field: '',
      message: 'has no effect: to-ebpf needs no labels and annotations but those of Kubernetes’ own rules',
    }))
}
