import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CgroupFacts, checkCgroupDirectory, chooseCgroupRoot } from './cgroup-root.ts'

const initial = 'cgroup:[4026531835]'
const facts = (changes: Partial<CgroupFacts>): CgroupFacts => ({
  mountinfo: '',
  ownNamespace: initial,
  initNamespace: initial,
  looksLikeNode: () => false,
  ...changes,
})
const mount = (root: string, directory: string, type = 'cgroup2'): string =>
  `30 23 0:26 ${root} ${directory} rw,relatime shared:4 - ${type} cgroup rw`

test('[KPNG-C18] cgroup root: the unified hierarchy', () => {
  assert.equal(chooseCgroupRoot(facts({ mountinfo: mount('/', '/sys/fs/cgroup') })), '/sys/fs/cgroup')
})

test('[KPNG-C18] cgroup root: hybrid hierarchies, where v1 mounts stand beside it', () => {
  const mountinfo = [mount('/', '/sys/fs/cgroup/cpu', 'cgroup'), mount('/', '/sys/fs/cgroup/unified')].join(
    '\n',
  )
  assert.equal(chooseCgroupRoot(facts({ mountinfo })), '/sys/fs/cgroup/unified')
})

test('[KPNG-C18] cgroup root: no cgroup2 says what to mount', () => {
  assert.throws(() => chooseCgroupRoot(facts({ mountinfo: mount('/', '/sys/fs/cgroup/cpu', 'cgroup') })), {
    code: 'unsupported',
    message: /mount -t cgroup2/,
  })
})

test('[KPNG-C18 DP-9.1] cgroup root: a private cgroup namespace is refused, because nobody else would be served', () => {
  const mountinfo = mount('/', '/sys/fs/cgroup')
  for (const initNamespace of [initial, 'cgroup:[4026532500]', undefined])
    assert.throws(
      () => chooseCgroupRoot(facts({ mountinfo, ownNamespace: 'cgroup:[4026532500]', initNamespace })),
      {
        code: 'unsupported',
        message: /private cgroup namespace/,
      },
    )
})

test('[KPNG-C18] cgroup root: the host’s tree mounted into a pod wins over the pod’s own', () => {
  const mountinfo = [mount('/', '/sys/fs/cgroup'), mount('/../../..', '/host/cgroup')].join('\n')
  const ownNamespace = 'cgroup:[4026532500]'
  assert.equal(chooseCgroupRoot(facts({ mountinfo, ownNamespace })), '/host/cgroup')
})

test('[KPNG-C18] cgroup root: a node that is itself a container (kind) serves its own root, never above it', () => {
  const ownNamespace = 'cgroup:[4026532500]'
  const mountinfo = mount('/', '/sys/fs/cgroup')
  const looksLikeNode = (directory: string) => directory === '/sys/fs/cgroup'
  assert.equal(
    chooseCgroupRoot(facts({ mountinfo, ownNamespace, initNamespace: ownNamespace, looksLikeNode })),
    '/sys/fs/cgroup',
  )
})

test('[KPNG-C18] cgroup root: a partial mount is refused by name', () => {
  assert.throws(
    () => chooseCgroupRoot(facts({ mountinfo: mount('/a', '/mnt/with\\040space') })),
    /\/a on \/mnt\/with space/,
  )
})

test('[KPNG-C18] cgroup root: a directory elsewhere is refused', () => {
  assert.throws(() => checkCgroupDirectory('/tmp'), { code: 'usage', message: /\/tmp is not on a cgroup2/ })
  assert.throws(() => checkCgroupDirectory('/nonexistent'), { code: 'usage', message: /\/nonexistent/ })
})
