import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { kpng, kpngOk, kpngPath } from './lab.ts'
import { endpointSlice, node, service } from './manifests.ts'

const objects = [
  node('node-a', ['192.168.78.1']),
  service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ name: 'http', port: 80 }] }),
  endpointSlice({
    service: 'web',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: ['10.180.0.1', { address: '10.180.0.2', ready: false }],
  }),
  service({ name: 'empty', clusterIPs: ['10.96.0.2'], ports: [{ port: 80 }] }),
]

test('get and explain say the same with the agent alive and dead, and how old it is when dead', async () => {
  await using host = new TestHost()
  host.ip('addr add 10.180.0.1/32 dev lo')
  await host.listen([{ address: '10.180.0.1', port: 8080 }])
  const agent = host.agent()
  agent.write(objects)
  await agent.start()
  await host.python(
    'import socket\nfor _ in range(7): socket.create_connection(("10.96.0.1", 80), 1).close()\nprint(1)',
  )
  const say = async () => {
    const commands = [
      ['get', 'services'],
      ['get', 'backends'],
      ['get', 'maps'],
      ['explain', '10.96.0.1:80'],
      ['explain', '10.96.0.2:80'],
    ]
    const answers = []
    for (const command of commands)
      answers.push(JSON.parse(await kpngOk([...command, '--instance', agent.instance, '-o', 'json'])))
    return answers
  }
  const alive = await say()
  const [services, backends, , web, empty] = alive
  assert.deepEqual(
    services.map((row: { name: string; state: string }) => [row.name, row.state]),
    [
      ['empty', 'refused: no endpoints'],
      ['web', '1 backend'],
    ],
  )
  assert.equal(services[1].counts.connections, 7)
  assert.deepEqual(
    backends.map(
      (row: {
        backend: string
        inCluster: boolean
        counts: { connections: number; open: number } | null
      }) => [row.backend, row.inCluster, row.counts?.connections, row.counts?.open],
    ),
    [
      ['10.180.0.1:8080', true, 7, 0],
      ['10.180.0.2:8080', false, undefined, undefined],
    ],
  )
  assert.deepEqual([web.outcome, web.programmed], ['forwarded', ['10.180.0.1:8080']])
  assert.equal(web.endpoints[1].used, false)
  assert.notEqual(web.endpoints[1].reason, '')
  assert.equal(empty.outcome, 'refused')

  await agent.stop('SIGTERM')
  assert.deepEqual(await say(), alive)
  const dead = await kpng(['get', 'services', '--instance', agent.instance])
  assert.equal(dead.exitCode, 0)
  assert.match(dead.stderr, /is not running.*view is \d+ s old/)
  assert.ok(!dead.stdout.includes('\u001b'), 'no colours in a pipe')
})

test('a view that was written before kill -9 is there afterwards', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write(objects)
  await agent.start()
  await new Promise(resolve => setTimeout(resolve, 2500))
  await agent.stop('SIGKILL')
  const rows = JSON.parse(await kpngOk(['get', 'services', '--instance', agent.instance, '-o', 'json']))
  assert.equal(rows.length, 2)
})

for (const [name, args, exitCode, message] of [
  [
    'an unknown instance names those that are known',
    ['get', 'services', '--instance', 'kpng-none'],
    1,
    /instance kpng-none/,
  ],
  [
    'an unknown instance has no maps',
    ['get', 'maps', '--instance', 'kpng-none'],
    1,
    /kpng-none has nothing in the kernel/,
  ],
  [
    'a bad destination is told by name',
    ['explain', '10.0.0.1'],
    2,
    /destination "10.0.0.1": .*expected ADDR:PORT/,
  ],
  ['a bad format lists the good ones', ['get', 'services', '-o', 'xml'], 2, /table, json, yaml/],
  ['an unknown command is suggested', ['gte'], 2, /unknown command 'gte'/],
  ['no path to read', ['file', 'to-ebpf'], 2, /-i PATH/],
  ['a bad instance name says what is good', ['get', 'services', '--instance', '../x'], 2, /must be 1 to 80/],
  [
    'a bad number is told with the option',
    ['file', '-i', '/tmp', 'to-ebpf', '--max-endpoints', 'many'],
    2,
    /max-endpoints/,
  ],
  [
    'a cgroup root that is none',
    ['file', '-i', '/tmp', 'to-ebpf', '--instance', 'kpng-cli', '--cgroup-root', '/tmp'],
    2,
    /\/tmp is not on a cgroup2 file system/,
  ],
] as const) {
  test(`kpng ${args.join(' ')}: ${name}`, async () => {
    const result = await kpng(args)
    assert.match(result.stderr, message)
    assert.equal(result.exitCode, exitCode, result.stderr)
    assert.doesNotMatch(result.stderr, /\n {4}at /, 'no stack trace')
    await kpng(['cleanup', '--instance', 'kpng-cli'])
  })
}

test('yaml output can be read back', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write(objects)
  await agent.start()
  const { parse } = await import('yaml')
  const rows = parse(await kpngOk(['get', 'services', '--instance', agent.instance, '-o', 'yaml']))
  assert.deepEqual(
    rows.map((row: { name: string }) => row.name),
    ['empty', 'web'],
  )
})

test('a reader that closes early is no failure', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  const many = Array.from({ length: 2000 }, (_, index) =>
    service({
      name: `web-${index}`,
      clusterIPs: [`10.96.${index >> 8}.${index & 255}`],
      ports: [{ port: 80 }],
    }),
  )
  agent.write([node('node-a', ['192.168.78.1']), ...many])
  await agent.start()
  const command = `set -o pipefail; ${kpngPath} get maps --instance ${agent.instance} | head -1`
  const result = await host.run(['bash', '-c', command])
  assert.deepEqual([result.exitCode, result.stderr], [0, ''])
})

test('who may not look is told so, not that there is nothing', async () => {
  await using host = new TestHost()
  const agent = host.agent()
  agent.write(objects)
  await agent.start()
  // The checkout may be where nobody else gets, in root's home: it is put elsewhere for this one.
  const script =
    'mount --bind "$0" /mnt && exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/bin/kpng "$@"'
  const nobody = ['unshare', '-m', 'sh', '-c', script, join(kpngPath, '../..')]
  for (const words of [['get', 'maps'], ['cleanup']]) {
    const result = await host.run([...nobody, ...words, '--instance', agent.instance])
    assert.equal(result.exitCode, 1, words.join(' '))
    assert.match(result.stderr, /EACCES/)
  }
  assert.equal((await agent.sync()).synced, true)
})
