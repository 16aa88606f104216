import type { ProblemReason } from '@kpng/api'

/** What an Event is about: the names that people filter by. docs/events.md says more of each. */
export interface ReasonSpec {
  readonly type: 'Normal' | 'Warning'
  readonly regarding: readonly ('Service' | 'Node')[]
  readonly action: string
  /** When it is told, and what it means for the user. */
  readonly meaning: string
}

const PROGRAM = 'Program'
/** kube-proxy's, for what it tells too. */
const START = 'StartKubeProxy'

/** Every Event that an agent tells. */
export const eventReasons = {
  Starting: {
    type: 'Normal',
    regarding: ['Node'],
    action: START,
    meaning: 'the agent has begun to serve the node',
  },
  FailedToStartProxierHealthcheck: {
    type: 'Warning',
    regarding: ['Node'],
    action: START,
    meaning: 'the health server cannot listen, and `bindAddressHardFail` is set: the agent ends',
  },
  FailedToStartMetricServer: {
    type: 'Warning',
    regarding: ['Node'],
    action: START,
    meaning: 'the metrics server cannot listen, and `bindAddressHardFail` is set: the agent ends',
  },
  FailedToStartServiceHealthcheck: {
    type: 'Warning',
    regarding: ['Service'],
    action: 'Listen',
    meaning: 'the `healthCheckNodePort` cannot be listened on: load balancers see no answer of this node',
  },
  AddressNotServed: {
    type: 'Warning',
    regarding: ['Service'],
    action: PROGRAM,
    meaning: 'an address of the Service is no destination, or not of its family; the others are served',
  },
  CapacityExceeded: {
    type: 'Warning',
    regarding: ['Service', 'Node'],
    action: PROGRAM,
    meaning:
      'the Service does not fit into the maps, or not whole; it is tried again whenever there is room. Raise `--max-service-ports`, `--max-frontends` or `--max-endpoints`',
  },
  DatapathDetached: {
    type: 'Warning',
    regarding: ['Node'],
    action: PROGRAM,
    meaning: 'the programs are not in place at the node’s cgroup: nothing is translated until they are',
  },
  DatapathUnpinned: {
    type: 'Warning',
    regarding: ['Node'],
    action: PROGRAM,
    meaning:
      'maps and links cannot be pinned, as when no BPF file system is mounted: connections are served as long as the agent runs, and not when it ends',
  },
  FrontendConflict: {
    type: 'Warning',
    regarding: ['Service'],
    action: PROGRAM,
    meaning: 'another Service claims the same address and port, and is served there until it goes',
  },
  InvalidField: {
    type: 'Warning',
    regarding: ['Service', 'Node'],
    action: PROGRAM,
    meaning: 'a field of the object cannot be read: it is passed over, the rest is served',
  },
  NameTooLong: {
    type: 'Warning',
    regarding: ['Service'],
    action: PROGRAM,
    meaning: 'the name of the Service, its namespace or a port is too long to be served',
  },
  ProtocolNotServed: {
    type: 'Warning',
    regarding: ['Service'],
    action: PROGRAM,
    meaning: 'a port has a protocol (SCTP) that is not served at the socket; the others are',
  },
  ServiceCIDRIgnored: {
    type: 'Warning',
    regarding: ['Node'],
    action: PROGRAM,
    meaning: 'a CIDR of ServiceCIDR objects is none, or one too many: addresses in it are let through',
  },
  SourceRangesNotServed: {
    type: 'Warning',
    regarding: ['Node'],
    action: PROGRAM,
    meaning:
      'the source addresses of network namespaces cannot be found out: unbound sockets there do not reach load balancer addresses with `loadBalancerSourceRanges`',
  },
  UpdateFailed: {
    type: 'Warning',
    regarding: ['Service', 'Node'],
    action: PROGRAM,
    meaning: 'the kernel has refused a change; it is tried again, and what was programmed before goes on',
  },
  Recovered: {
    type: 'Normal',
    regarding: ['Service', 'Node'],
    action: PROGRAM,
    meaning: 'what a Warning before has told is over; the note names its reason',
  },
  DatapathRepaired: {
    type: 'Warning',
    regarding: ['Node'],
    action: PROGRAM,
    meaning: 'somebody had taken the programs or pins away, or put others in their place; they are back',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>> & Readonly<Record<ProblemReason, ReasonSpec>>

export type EventReason = keyof typeof eventReasons
