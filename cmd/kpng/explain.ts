import { cidrContains, formatAddressPort, ipBytes, parseCIDR } from '@kpng/api'
import { DatapathInspection } from '@kpng/backend-ebpf'
import { parseDestination, parseSource } from './destination.ts'
import { type Explanation, explain } from './explain-view.ts'
import { loadView, sayAge } from './load-view.ts'
import type { OutputFlags } from './options.ts'
import { bold, dim, green, printValue, red, yellow } from './output.ts'

export interface ExplainFlags extends OutputFlags {
  /** Source address. */
  readonly from?: string
}

/** Tells from the view what should happen to a connection, and from the kernel's maps that it does. */
export async function runExplain(text: string, flags: ExplainFlags): Promise<void> {
  const destination = parseDestination(text)
  const from = flags.from === undefined ? undefined : parseSource(flags.from, destination)
  const loaded = await loadView(flags.instance)
  sayAge(loaded)
  using inspection = DatapathInspection.open(flags.instance)
  const explanation = explain(destination, {
    ...(from === undefined ? {} : { from }),
    node: loaded.view.node,
    services: loaded.view.services,
    nodePortAddresses: loaded.view.nodePortAddresses,
    contains: (text, address) => {
      const cidr = parseCIDR(text)
      return cidr !== undefined && cidrContains(cidr, ipBytes(address))
    },
  })
  const programmed = programmedBackends(explanation, inspection)
  const programmedSources = sourcesInKernel(explanation, inspection)
  if (flags.output !== 'table')
    return printValue(flags.output, { ...explanation, programmed, programmedSources })
  process.stdout.write(renderExplanation(explanation, programmed, programmedSources))
}

const isSame = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
  a === null || b === null ? a === b : a.length === b.length && a.every(word => b.includes(word))

/** What the kernel would pick from, as text; null where nothing is programmed for the destination. */
function programmedBackends(
  explanation: Explanation,
  inspection: DatapathInspection | undefined,
): readonly string[] | null {
  if (explanation.frontend === undefined || inspection === undefined) return null
  const { frontend, destination } = explanation
  return inspection.backendsOf(frontend.family, frontend.address, frontend.port, destination.protocol) ?? null
}

/** Who may connect as the kernel has it; null where it lets everybody. */
function sourcesInKernel(
  { frontend, destination }: Explanation,
  inspection: DatapathInspection | undefined,
): readonly string[] | null {
  if (frontend === undefined || inspection === undefined) return null
  const { family, address, port } = frontend
  return inspection.sourceRangesOf(family, address, port, destination.protocol) ?? null
}

const colours = { forwarded: green, refused: red, unreachable: yellow, untouched: dim }

function renderExplanation(
  explanation: Explanation,
  programmed: readonly string[] | null,
  programmedSources: readonly string[] | null,
): string {
  const { destination, outcome, rule } = explanation
  const title = `${formatAddressPort(destination.address, destination.port)}/${destination.protocol}`
  const lines = [`${bold(title)}  ${colours[outcome](outcome)}`, `  rule      ${rule}`]
  if (explanation.service !== undefined) lines.push(`  service   ${explanation.service}`)
  if (explanation.affinityTimeoutSeconds !== undefined && explanation.affinityTimeoutSeconds > 0)
    lines.push(`  affinity  ClientIP, ${explanation.affinityTimeoutSeconds} s`)
  if (explanation.topologyMode !== undefined && explanation.topologyMode !== '')
    lines.push(`  topology  ${explanation.topologyMode}`)
  for (const { endpoint, used, reason } of explanation.endpoints) {
    const place = [endpoint.pod, endpoint.nodeName, endpoint.zone]
      .filter(word => word !== undefined)
      .join(', ')
    const mark = used ? green('used') : yellow(`not used: ${reason}`)
    lines.push(
      `  endpoint  ${formatAddressPort(endpoint.address, endpoint.port)}  ${mark}${place === '' ? '' : dim(`  (${place})`)}`,
    )
  }
  if (explanation.shadowed.length > 0)
    lines.push(
      yellow(`  note      also claimed by ${explanation.shadowed.join(', ')}, which is not served here`),
    )
  if (programmed !== null) {
    const wanted = explanation.endpoints
      .filter(({ used }) => used)
      .map(({ endpoint }) => formatAddressPort(endpoint.address, endpoint.port))
    const same = isSame(wanted, programmed)
    lines.push(
      same
        ? `  kernel    agrees (${programmed.length} in the list in force)`
        : red(
            `  kernel    differs: ${programmed.length === 0 ? 'an empty list' : programmed.join(', ')} is in force`,
          ),
    )
    const ranges = explanation.sources?.ranges ?? null
    if (!isSame(ranges, programmedSources))
      lines.push(red(`  kernel    differs: open to ${programmedSources?.join(', ') ?? 'everybody'}`))
  } else if (explanation.frontend !== undefined && outcome !== 'untouched')
    lines.push(red('  kernel    has no such frontend'))
  return `${lines.join('\n')}\n`
}
