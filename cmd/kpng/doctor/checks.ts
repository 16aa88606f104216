import type { Feature } from '@kpng/ebpf'
import { capabilityUses, holds } from '../capabilities.ts'
import type { Facts, Found } from './facts.ts'

/** bad: the agent cannot work. warning: it works with less than it could, or slower. */
export type Health = 'good' | 'warning' | 'bad'

export interface Check {
  /** Stable, for programs: `feature ringbuf`. */
  readonly name: string
  readonly health: Health
  /** What was found. */
  readonly found: string
  /** What to do about it; '' where nothing is to be done. */
  readonly advice: string
}

const good = (name: string, found: string): Check => ({ name, health: 'good', found, advice: '' })
const warning = (name: string, found: string, advice: string): Check => ({
  name,
  health: 'warning',
  found,
  advice,
})
const bad = (name: string, found: string, advice: string): Check => ({ name, health: 'bad', found, advice })

/** All of them, in the order in which they are worth mending. */
export function checksOf(facts: Facts): Check[] {
  return [
    machine(facts),
    orBad('processes', facts.proc, '/proc can be read', 'mount it: mount -t proc proc /proc'),
    ...capabilities(facts),
    orBad('kernel BTF', facts.kernelBtf, '/sys/kernel/btf/vmlinux can be read', kernelBtfAdvice),
    orBad('libbpf', facts.libbpf, undefined, 'install libbpf 1.1 or later (Debian: apt install libbpf1)'),
    ...kernelFeatures(facts),
    bpffs(facts),
    orBad(
      'cgroup root',
      facts.cgroupRoot,
      undefined,
      'give --cgroup-root the cgroup2 directory above all pods of the node',
    ),
    cgroupVersion(facts),
    orBad('run directory', facts.runDirectory, '/run can be written', 'run as root, or mount /run writable'),
    ...sysctls(facts),
    otherProxies(facts),
    agent(facts),
  ]
}

const kernelBtfAdvice =
  'use a kernel with CONFIG_DEBUG_INFO_BTF (Linux 5.10 or later), and in a container let /sys show the host’s'

function machine({ platform, architecture, release }: Facts): Check {
  const found = `${platform} ${release} on ${architecture}`
  if (platform === 'linux' && (architecture === 'x64' || architecture === 'arm64'))
    return good('machine', found)
  return bad('machine', found, 'kpng runs on Linux 5.10 or later, on amd64 and arm64')
}

function orBad(name: string, found: Found<unknown>, text: string | undefined, advice: string): Check {
  if ('error' in found) return bad(name, found.error, advice)
  return good(name, text ?? String(found.value))
}

function capabilities({ capabilities }: Facts): Check[] {
  // What there is to say is said of /proc.
  if ('error' in capabilities) return []
  return capabilityUses.map(({ name, needed, without }) => {
    const check = `capability ${name}`
    if (holds(capabilities.value, name)) return good(check, 'held')
    const advice = `give the agent CAP_${name} (root has it; in a pod: securityContext.capabilities.add)`
    return (needed ? bad : warning)(check, `missing: ${without}`, advice)
  })
}

interface FeatureUse {
  readonly since: string
  /** What goes wrong without it; absent: the agent does as well another way. */
  readonly without: string
  readonly health: Health
}

const featureUses: Readonly<Record<Feature, FeatureUse>> = {
  cgroup_link: {
    since: '5.7',
    health: 'bad',
    without: 'programs cannot be attached so that they outlive the agent',
  },
  iter: { since: '5.8', health: 'bad', without: 'sockets of backends that are gone cannot be found' },
  mmapable: { since: '5.5', health: 'bad', without: 'lists of endpoints cannot be switched in one store' },
  sk_storage: { since: '5.2', health: 'bad', without: 'a socket cannot remember its Service' },
  netns_cookie: { since: '5.7', health: 'bad', without: 'clients of session affinity cannot be told apart' },
  batch: { since: '5.6', health: 'warning', without: 'maps are written an entry at a time: a slower start' },
  ringbuf: { since: '5.8', health: 'warning', without: 'no events of single connections' },
  set_retval: {
    since: '5.19',
    health: 'warning',
    without:
      'refused connections see the errno that an old kernel allows (EPERM for an unconnected datagram)',
  },
  memcg_accounting: {
    since: '5.11',
    health: 'warning',
    without: 'memory of maps counts against RLIMIT_MEMLOCK, which the agent raises for itself',
  },
}

function kernelFeatures({ features }: Facts): Check[] {
  return (Object.keys(featureUses) as Feature[]).map(feature => {
    const { since, without, health } = featureUses[feature]
    const name = `feature ${feature}`
    const outcome = features[feature]
    if (outcome === 'yes') return good(name, `there (Linux ${since})`)
    if (outcome === 'unknown')
      return warning(name, 'could not be tried', 'ask again with the capabilities BPF, PERFMON and NET_ADMIN')
    return { name, health, found: `missing: ${without}`, advice: `use Linux ${since} or later` }
  })
}

function bpffs({ bpffs }: Facts): Check {
  const advice = 'mount it: mount -t bpf bpf /sys/fs/bpf (in a pod: hostPath /sys/fs/bpf)'
  if ('error' in bpffs) return bad('BPF file system', bpffs.error, advice)
  if (bpffs.value) return good('BPF file system', 'mounted on /sys/fs/bpf')
  return warning(
    'BPF file system',
    'not mounted on /sys/fs/bpf: the agent tries to mount one, and in a namespace of its own it ends with the agent',
    advice,
  )
}

function cgroupVersion({ cgroupV1 }: Facts): Check {
  const mounts = 'error' in cgroupV1 ? 0 : cgroupV1.value
  if (mounts === 0) return good('cgroup version', 'version 2 only')
  return good('cgroup version', `version 2 beside ${mounts} hierarchies of version 1, which are left alone`)
}

function sysctls({ sysctls }: Facts): Check[] {
  const advice = (name: string, value: number): string => `sysctl -w ${name}=${value}`
  const rules = [
    ['net.core.bpf_jit_enable', '0', 1, 'programs are interpreted: many times slower'],
    ['net.core.bpf_jit_harden', '2', 1, 'programs of root are hardened as well: slower'],
    ['kernel.bpf_stats_enabled', '1', 0, 'each run of a program is timed: some 60 ns a connection'],
  ] as const
  return rules.flatMap(([name, wrong, right, why]) => {
    const value = sysctls.get(name)
    if (value === undefined) return []
    if (value !== wrong) return [good(`sysctl ${name}`, value)]
    return [warning(`sysctl ${name}`, `${value}: ${why}`, advice(name, right))]
  })
}

function otherProxies({ otherProxies }: Facts): Check {
  if (otherProxies.length === 0) return good('other proxies', 'none is running')
  return warning(
    'other proxies',
    `running here: ${otherProxies.join(', ')}`,
    'Services are served by kpng where a socket of the node connects, and by the other for packets: stop it and remove its rules (kube-proxy --cleanup) unless that is meant',
  )
}

function agent({ agent }: Facts): Check {
  if ('error' in agent) return warning('agent', agent.error, 'look at its log')
  if (agent.value === undefined) return good('agent', 'not running')
  const { pid, synced, problems } = agent.value
  if (!synced) return warning('agent', `pid ${pid} is not synced yet`, 'kpng get services tells more')
  if (problems > 0)
    return warning('agent', `pid ${pid} has ${problems} problems`, 'they are in its log and its status')
  return good('agent', `pid ${pid}, synced`)
}
