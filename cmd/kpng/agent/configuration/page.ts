import { agentFields } from './agent-fields.ts'
import { type AnyField, type Effect, eachField } from './fields.ts'
import { kubeProxyFields } from './kube-proxy-fields.ts'
import { type ProxyFlag, proxyFlags } from './proxy-flags.ts'

/** The tables of docs/configuration.md, by the name of their place in it. */
const tables: Readonly<Record<string, () => string>> = {
  'kube-proxy fields': () =>
    table(
      ['field', 'default', 'here'],
      [...eachField(kubeProxyFields)].map(([path, field]) => [
        code(path),
        shownDefault(path, field),
        effect(field.effect),
      ]),
    ),
  'kube-proxy flags': () =>
    table(
      ['flag', 'field', 'here'],
      (proxyFlags as readonly ProxyFlag[]).map(flag => [
        code(flag.name === 'v' ? '-v, --v' : `--${flag.name}`),
        flag.path === undefined ? '' : code(flag.path),
        flagEffect(flag),
      ]),
    ),
  'agent fields': () =>
    table(
      ['field', 'default', 'here'],
      [...eachField(agentFields)]
        .filter(([path]) => !path.startsWith('kubeProxy.'))
        .map(([path, field]) => [code(path), shownDefault(path, field), effect(field.effect)]),
    ),
}

/** The page with its tables as the code has them; all else stays. Throws where a place is missing. */
export function renderPage(page: string): string {
  let rendered = page
  for (const [name, rows] of Object.entries(tables)) {
    const [begin, end] = [`<!-- begin: ${name} -->`, `<!-- end: ${name} -->`]
    const [from, to] = [rendered.indexOf(begin), rendered.indexOf(end)]
    if (from < 0 || to < from)
      throw new Error(`the page has no place for the table ${name}: ${begin} … ${end}`)
    rendered = `${rendered.slice(0, from + begin.length)}\n${rows()}\n${rendered.slice(to)}`
  }
  return rendered
}

const code = (text: string): string => `\`${text}\``

const effect = (of: Effect): string => ('does' in of ? of.does : `**no effect:** ${of.unused}`)

function flagEffect({ path, does, unused }: ProxyFlag): string {
  if (does !== undefined) return does
  if (unused !== undefined) return `**no effect:** ${unused}`
  return effect(effects.get(path ?? '') ?? { does: '' })
}

const effects = new Map([...eachField(kubeProxyFields)].map(([path, field]) => [path, field.effect]))

/** Of addresses what results for IPv4: their default depends on bindAddress. */
const resulting: Readonly<Record<string, string>> = {
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
}

function shownDefault(path: string, field: AnyField): string {
  const printed = field.type.print(resulting[path] ?? field.default)
  return printed === null
    ? code('[]')
    : code(typeof printed === 'string' ? printed || '""' : JSON.stringify(printed))
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
