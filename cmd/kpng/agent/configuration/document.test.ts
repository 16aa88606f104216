import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { effectiveConfiguration } from './effective-configuration.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const read = (text: string) => effectiveConfiguration({ file: 'c', text }).configuration.kubeProxy

function refused(text: string): string {
  try {
    read(text)
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'usage', String((error as Error).stack))
    return (error as Error).message
  }
  return ''
}

test('anchors and aliases are followed', () => {
  const text = `${head}iptables: &periods {syncPeriod: 1m}\nnftables: *periods\n`
  assert.equal(read(text).nftables.syncPeriod, 60_000)
})

test('aliases that would make much of little are refused', () => {
  const bomb = `${head}nodePortAddresses: &a [x, x, x, x, x, x, x, x, x]
clusterCIDR: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
bindAddress: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
portRange: [*c, *c, *c, *c, *c, *c, *c, *c, *c]
`
  assert.match(refused(bomb), /portRange: has too many aliases/)
})

test('an alias to what it is in, or to nothing, is refused', () => {
  assert.notEqual(refused(`${head}featureGates: &a {x: *a}\n`), '')
  assert.notEqual(refused(`${head}iptables: &a\n  syncPeriod: *a\n`), '')
  assert.notEqual(refused(`${head}iptables: *nothing\n`), '')
})

test('keys that are no words are unknown fields', () => {
  assert.match(refused(`${head}1: x\n`), /c:3:1: 1: unknown field/)
  assert.match(refused(`${head}? [a]\n: x\n`), /unknown field/)
  assert.match(
    refused(`${head}__proto__: {}\ntoString: x\n`),
    /__proto__: unknown field\nc:4:1: toString: unknown field/,
  )
})

test('whatever a document says, it is read or refused in order', () => {
  const names = fc.constantFrom(
    'mode',
    'iptables',
    'syncPeriod',
    'nodePortAddresses',
    'featureGates',
    'logging',
    'vmodule',
    'options',
    'text',
    'infoBufferSize',
    'kind',
    'x',
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, 0, -1, 1.5, '', '30s', 'primary', '10.0.0.0/8', [], {}),
      fc.string(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(names, tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(names, tree, { maxKeys: 5 }), fields => {
      const document = {
        apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
        kind: 'KubeProxyConfiguration',
        ...fields,
      }
      refused(JSON.stringify(document))
    }),
  )
})

test('whatever a text is, it is read or refused in order', () => {
  const pieces = fc.constantFrom(
    head,
    'mode: ',
    'nftables',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ': ',
    '&a ',
    '*a',
    '"',
    "'",
    '|',
    '---\n',
    '#',
    '!!binary ',
    '<<: ',
    'iptables:\n',
    '\t',
    '%YAML 1.1\n',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 25 }), words => void refused(words.join(''))),
    { numRuns: 300 },
  )
})
