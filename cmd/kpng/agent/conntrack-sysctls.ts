import { readFileSync, writeFileSync } from 'node:fs'

/** The section `conntrack` of a KubeProxyConfiguration; times in milliseconds. */
export interface ConntrackConfiguration {
  readonly maxPerCore: number
  readonly min: number
  readonly tcpEstablishedTimeout: number
  readonly tcpCloseWaitTimeout: number
  readonly tcpBeLiberal: boolean
  readonly udpTimeout: number
  readonly udpStreamTimeout: number
}

/** A number below /proc/sys or /sys. */
export interface KernelSetting {
  readonly path: string
  readonly value: number
  /** Leave a greater one as it is. */
  readonly atLeast?: boolean
}

/** Beyond it the table is a burden of its own; kube-proxy stops there as well. */
const maxEntries = 1_048_576
const entriesPerBucket = 4
const netfilter = '/proc/sys/net/netfilter'

/**
 * What to tell the kernel's connection tracking. The datapath at the sockets does without it, but whoever moves from
 * kube-proxy may rely on what it sets for the node: so what the user asks for is set, and nothing else. `set` are the
 * fields that were given in a file or by a flag. Source: kube-proxy 1.36, cmd/kube-proxy/app/server_linux.go.
 */
export function conntrackSettings(
  configuration: ConntrackConfiguration,
  set: ReadonlySet<keyof ConntrackConfiguration>,
  cores: number,
): KernelSetting[] {
  const settings: KernelSetting[] = []
  const max = entries(configuration, cores)
  if (max > 0 && (set.has('maxPerCore') || set.has('min')))
    settings.push(
      { path: `${netfilter}/nf_conntrack_max`, value: max },
      {
        path: '/sys/module/nf_conntrack/parameters/hashsize',
        value: Math.floor(max / entriesPerBucket),
        atLeast: true,
      },
    )
  for (const [field, name] of timeouts) {
    const seconds = Math.floor(configuration[field] / 1000)
    if (set.has(field) && seconds > 0) settings.push({ path: `${netfilter}/${name}`, value: seconds })
  }
  if (configuration.tcpBeLiberal)
    settings.push({ path: `${netfilter}/nf_conntrack_tcp_be_liberal`, value: 1 })
  return settings
}

const timeouts = [
  ['tcpEstablishedTimeout', 'nf_conntrack_tcp_timeout_established'],
  ['tcpCloseWaitTimeout', 'nf_conntrack_tcp_timeout_close_wait'],
  ['udpTimeout', 'nf_conntrack_udp_timeout'],
  ['udpStreamTimeout', 'nf_conntrack_udp_timeout_stream'],
] as const

/** 0: left as it is. The cap is above `min`, as in kube-proxy. */
function entries({ maxPerCore, min }: ConntrackConfiguration, cores: number): number {
  const scaled = maxPerCore * cores
  if (scaled === 0) return 0
  return scaled > maxEntries ? maxEntries : Math.max(scaled, min)
}

export interface KernelFiles {
  read(path: string): string
  write(path: string, text: string): void
}

const kernelFiles: KernelFiles = {
  read: path => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text),
}

export interface Applied {
  readonly setting: KernelSetting
  /** undefined: written. */
  readonly error?: unknown
}

/** Writes what differs. What cannot be written is told, and the next one is tried. */
export function applyKernelSettings(settings: readonly KernelSetting[], files = kernelFiles): Applied[] {
  return settings.flatMap((setting): Applied[] => {
    const { path, value, atLeast = false } = setting
    try {
      const current = Number(files.read(path))
      if (atLeast ? current >= value : current === value) return []
      files.write(path, `${value}`)
      return [{ setting }]
    } catch (error) {
      return [{ setting, error }]
    }
  })
}
