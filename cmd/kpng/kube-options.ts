import { type Command, InvalidArgumentError } from 'commander'

/** The value of a label: it becomes part of a selector. */
function labelValue(value: string): string {
  if (!/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value))
    throw new InvalidArgumentError('must be a label value: up to 63 of A-Z a-z 0-9 _ . -')
  return value
}

/** What the source `kube` takes, by KPNG's names. */
export function kubeOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the API server (default: KUBECONFIG, else as a pod does)')
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
}
