import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { ConfigurationWatch } from './configuration-watch.ts'
import { describeChanges } from './describe-changes.ts'

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
const before = `${head}mode: nftables\n`
const after = `${head}mode: nftables\nnftables: {syncPeriod: 1m}\n`

/** A directory with a configuration that is watched; `change` is done to it. The message of the change, or undefined. */
async function watched(
  prepare: (directory: string) => string,
  change: (directory: string) => void,
): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'kpng-test-'))
  try {
    const path = prepare(directory)
    using watch = new ConfigurationWatch(path, before, { intervalMs: 10 })
    await setTimeout(40)
    change(directory)
    const told = watch.changed.catch((error: Error) => error.message)
    return await Promise.race([told, setTimeout(400, undefined)])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function plain(directory: string): string {
  const path = join(directory, 'c.yaml')
  writeFileSync(path, before)
  return path
}

test('[KP-10.1.4] a file that is written again with another content is told, with what has changed', async () => {
  const message = await watched(plain, directory => writeFileSync(join(directory, 'c.yaml'), after))
  assert.match(
    message ?? '',
    /c\.yaml has changed: nftables\.syncPeriod is "1m0s", was "30s"\. .*started again/,
  )
})

test('[KP-10.1.4] a file that another is renamed to is told', async () => {
  const message = await watched(plain, directory => {
    writeFileSync(join(directory, 'new'), after)
    renameSync(join(directory, 'new'), join(directory, 'c.yaml'))
  })
  assert.match(message ?? '', /nftables\.syncPeriod/)
})

/** As the kubelet has a ConfigMap in a volume. */
function configMap(directory: string): string {
  mkdirSync(join(directory, '..2026_1'))
  writeFileSync(join(directory, '..2026_1/config.conf'), before)
  symlinkSync('..2026_1', join(directory, '..data'))
  symlinkSync('..data/config.conf', join(directory, 'config.conf'))
  return join(directory, 'config.conf')
}

test('[KP-10.1.4] a ConfigMap whose link is swapped is told', async () => {
  const message = await watched(configMap, directory => {
    mkdirSync(join(directory, '..2026_2'))
    writeFileSync(join(directory, '..2026_2/config.conf'), after)
    symlinkSync('..2026_2', join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    rmSync(join(directory, '..2026_1'), { recursive: true })
  })
  assert.match(message ?? '', /nftables\.syncPeriod/)
})

for (const [what, change] of [
  ['touched', directory => utimesSync(join(directory, 'c.yaml'), 1, 1)],
  ['written again as it was', directory => writeFileSync(join(directory, 'c.yaml'), before)],
  ['removed', directory => rmSync(join(directory, 'c.yaml'))],
] satisfies Array<[string, (directory: string) => void]>) {
  test(`a file that is ${what} has not changed`, async () =>
    assert.equal(await watched(plain, change), undefined))
}

test('what has changed is told by field, mistakes as such, and that nothing has', () => {
  assert.deepEqual(
    describeChanges('c', `${head}mode: ipvs\nclusterCIDR: 10.0.0.0/8\n`, `${head}clusterCIDR: ""\n`),
    ['mode is "", was "ipvs"', 'clusterCIDR is "", was "10.0.0.0/8"'],
  )
  assert.deepEqual(describeChanges('c', before, `${head}mod: x\n`), ['c:3:1: mod: unknown field'])
  assert.deepEqual(describeChanges('c', before, `${before}# a comment\n`), ['its text, but no value'])
})
