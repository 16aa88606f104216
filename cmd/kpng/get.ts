import { formatAddressPort, KpngError, type ServiceView } from '@kpng/api'
import { DatapathInspection } from '@kpng/backend-ebpf'
import { loadView, sayAge } from './load-view.ts'
import type { OutputFlags } from './options.ts'
import { dim, formatTable, green, printValue, red, yellow } from './output.ts'
import {
  families,
  formatFrontend,
  frontendsOf,
  outcomeOf,
  servicePortName,
  stateOf,
  usedEndpoints,
} from './service-rows.ts'

export interface GetFlags extends OutputFlags {
  readonly namespace?: string
}

export async function runGet(
  what: 'services' | 'backends' | 'maps',
  service: string | undefined,
  flags: GetFlags,
): Promise<void> {
  using inspection = DatapathInspection.open(flags.instance)
  if (what === 'maps') {
    await printMaps(flags, inspection)
    return
  }
  const loaded = await loadView(flags.instance)
  sayAge(loaded)
  const services = selectServices(loaded.view.services, service, flags.namespace)
  if (what === 'services') await printServices(flags, services, loaded.view.nodePortAddresses, inspection)
  else await printBackends(flags, services, inspection)
}

function selectServices(
  services: readonly ServiceView[],
  wanted: string | undefined,
  namespace: string | undefined,
): ServiceView[] {
  const [namespaceOrName, name] = wanted?.split('/') ?? []
  const inNamespace = name === undefined ? namespace : namespaceOrName
  const named = name ?? namespaceOrName
  const selected = services
    .filter(service => inNamespace === undefined || service.namespace === inNamespace)
    .filter(service => named === undefined || service.name === named)
    .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
  if (wanted !== undefined && selected.length === 0)
    throw new KpngError('not-found', `no Service ${wanted} is served by this instance`)
  return selected
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

async function printServices(
  flags: GetFlags,
  services: readonly ServiceView[],
  nodePortAddresses: readonly string[],
  inspection: DatapathInspection | undefined,
): Promise<void> {
  const counts = inspection?.serviceCounts()
  const rows = services.flatMap(service =>
    service.ports.map(port => {
      const frontends = frontendsOf(service, port, nodePortAddresses)
      return {
        namespace: service.namespace,
        name: service.name,
        type: service.type,
        portName: port.name,
        protocol: port.protocol,
        frontends: frontends.map(frontend => ({ ...frontend, outcome: outcomeOf(port, frontend) })),
        state: port.protocol === 'SCTP' ? 'not served: SCTP' : stateOf(port, frontends),
        affinityTimeoutSeconds: service.affinityTimeoutSeconds,
        counts: counts?.get(`${servicePortName(service, port)}/${port.protocol}`) ?? null,
      }
    }),
  )
  if (flags.output !== 'table') return printValue(flags.output, rows)
  const heads = ['NAMESPACE', 'NAME', 'TYPE', 'PORT', 'FRONTENDS', 'BACKENDS', 'CONNECTIONS', 'REFUSED']
  const table = rows.map(row => [
    row.namespace,
    row.name,
    row.type,
    `${row.portName === '' ? '' : `${row.portName} `}${dim(row.protocol)}`,
    shorten(row.frontends.map(formatFrontend)),
    colourState(row.state),
    row.counts === null ? '-' : `${row.counts.connections + row.counts.datagrams}`,
    row.counts === null ? '-' : `${row.counts.refused + row.counts.unreachable}`,
  ])
  process.stdout.write(table.length === 0 ? 'No Services.\n' : formatTable(heads, table))
}

const shorten = (words: readonly string[]): string =>
  words.length <= 3 ? words.join(',') : `${words.slice(0, 3).join(',')} + ${words.length - 3} more`

const colourState = (state: string): string =>
  state.startsWith('refused') ? red(state) : state.includes('unreachable') ? yellow(state) : green(state)

async function printBackends(
  flags: GetFlags,
  services: readonly ServiceView[],
  inspection: DatapathInspection | undefined,
): Promise<void> {
  const counts = inspection?.backendCounts()
  const rows = services.flatMap(service =>
    service.ports.flatMap(port =>
      families.flatMap(family => {
        const selection = port.endpoints[family]
        const cluster = new Set(usedEndpoints(selection, 'cluster'))
        const local = new Set(usedEndpoints(selection, 'local'))
        return (selection?.endpoints ?? []).map(endpoint => {
          const servicePort = servicePortName(service, port)
          const backend = formatAddressPort(endpoint.address, endpoint.port)
          return {
            service: servicePort,
            protocol: port.protocol,
            backend,
            pod: endpoint.pod ?? null,
            node: endpoint.nodeName ?? null,
            zone: endpoint.zone ?? null,
            ready: endpoint.ready,
            serving: endpoint.serving,
            terminating: endpoint.terminating,
            inCluster: cluster.has(endpoint),
            inLocal: local.has(endpoint),
            reason: endpoint.reason ?? null,
            counts: counts?.get(`${servicePort}/${port.protocol} ${backend}`) ?? null,
          }
        })
      }),
    ),
  )
  if (flags.output !== 'table') return printValue(flags.output, rows)
  const heads = ['SERVICE', 'PROTO', 'BACKEND', 'POD', 'NODE', 'USED', 'CONNECTIONS', 'OPEN']
  const table = rows.map(row => [
    row.service,
    dim(row.protocol),
    row.backend,
    row.pod ?? '-',
    row.node ?? '-',
    row.inCluster || row.inLocal ? green('yes') : yellow(`no: ${row.reason ?? 'not selected'}`),
    row.counts === null ? '-' : `${row.counts.connections + row.counts.datagrams}`,
    row.counts === null ? '-' : `${row.counts.open}`,
  ])
  process.stdout.write(table.length === 0 ? 'No backends.\n' : formatTable(heads, table))
}

async function printMaps(flags: GetFlags, inspection: DatapathInspection | undefined): Promise<void> {
  if (inspection === undefined)
    throw new KpngError('not-found', `instance ${flags.instance} has nothing in the kernel on this machine`)
  const lines = inspection.dump()
  if (flags.output !== 'table') return printValue(flags.output, lines)
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
}
