import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProxyConfiguration } from './proxy-configuration.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'

test('configuration: what the proxy uses is read, the rest is ignored', () => {
  const text = `${head}hostnameOverride: worker\nnodePortAddresses: [10.0.0.0/8]\nmode: nftables\nconntrack: {min: 0}\n`
  assert.deepEqual(parseProxyConfiguration(text, 'c.yaml'), {
    hostnameOverride: 'worker',
    nodePortAddresses: ['10.0.0.0/8'],
  })
})

test('configuration: null, "" and [] mean the default, as kube-proxy writes them', () => {
  const text = `${head}hostnameOverride: ""\nnodePortAddresses: null\n`
  assert.deepEqual(parseProxyConfiguration(text, 'c.yaml'), {})
  assert.deepEqual(parseProxyConfiguration(`${head}nodePortAddresses: []\n`, 'c.yaml'), {})
})

test('configuration: all mistakes at once, each with file and field', () => {
  const text = 'kind: Pod\nhostnameOverride: 3\nnodePortAddresses: x\n'
  assert.throws(
    () => parseProxyConfiguration(text, 'c.yaml'),
    (error: Error) => {
      for (const field of ['kind', 'apiVersion', 'hostnameOverride', 'nodePortAddresses'])
        assert.match(error.message, new RegExp(`c\\.yaml: ${field}: `))
      return true
    },
  )
})

test('configuration: no YAML, no object', () => {
  assert.throws(() => parseProxyConfiguration('a: [', 'c.yaml'), /c\.yaml/)
  assert.throws(() => parseProxyConfiguration('[]', 'c.yaml'), /not a KubeProxyConfiguration/)
})
