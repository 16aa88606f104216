import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AttachType, attachCgroup, loadObject, openPinnedLink, type Program } from '@kpng/ebpf'
import { versionDirectory } from '../../../backends/ebpf/bpf/testing/versions.ts'
import { testObject } from '../../../ebpf/testdata/build.ts'
import type { AgentAnswer } from '../agent-process.ts'
import { endpointSlice, service } from '../manifests.ts'
import { Stage } from '../stage.ts'

const pod = '10.190.0.1'
const objects = [
  service({ name: 'web', clusterIPs: ['10.96.22.1'], ports: [{ port: 80 }] }),
  endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: [pod] }),
]

const pathOf = (stage: Stage, hook: string): string =>
  join('/sys/fs/bpf/kpng', stage.agent.instance, 'link', hook)

/** As somebody does who has a tool of his own. */
function putAt(stage: Stage, hook: string, program: Program): void {
  using link = openPinnedLink(pathOf(stage, hook))
  link.update(program)
}

function programAt(stage: Stage, hook: string): number {
  using link = openPinnedLink(pathOf(stage, hook))
  return link.info().programId
}

async function statusWhen(stage: Stage, wanted: (status: AgentAnswer) => boolean): Promise<AgentAnswer> {
  for (const deadline = performance.now() + 20_000; ; await sleep(50)) {
    const status = await stage.agent.status()
    if (wanted(status)) return status
    if (performance.now() > deadline) throw new Error(JSON.stringify(status))
  }
}

const lines = (stage: Stage, text: RegExp): string[] =>
  stage.agent.log.split('\n').filter(it => text.test(it))

test('a program of somebody else at our link is told of by hook, id and name, and stays until it is taken away', async () => {
  await using stage = await Stage.up({ pods: [pod] })
  await stage.apply(...objects)
  using foreign = loadObject(testObject('socket'), { programs: ['first'] })
  const { id } = foreign.program('first')
  putAt(stage, 'connect4', foreign.program('first'))
  const { problems } = await statusWhen(stage, ({ synced }) => !synced)
  const message = `the link of connect4 carries program ${id} (first), not ours: it was not put there by kpng`
  assert.deepEqual(
    problems.map(problem => problem.message.includes(message)),
    [true],
    JSON.stringify(problems),
  )
  // Through some looks more: it is there still, nothing else is the worse for it, and nothing is said twice.
  await sleep(5_000)
  assert.equal(programAt(stage, 'connect4'), id)
  assert.equal(lines(stage, /the programs are not in place/).length, 1, stage.agent.log)
  assert.match(await stage.clients.run('tcp("10.96.22.1", 80)'), /^E/, 'it is not ours to translate')
  const [, advice = ''] =
    /(bpftool link detach pinned \S+) gives the hook back/.exec(problems[0]?.message ?? '') ?? []
  const [program = '', ...args] = advice.split(' ')
  execFileSync(program, args)
  assert.deepEqual((await statusWhen(stage, ({ synced }) => synced)).problems, [])
  assert.equal(await stage.clients.run('tcp("10.96.22.1", 80)'), `${pod}:8080`)
  assert.equal(lines(stage, /were not in place any more, and are again/).length, 1)
})

test('a program of this instance that another version has put at our link is replaced within seconds, which is said', async () => {
  await using stage = await Stage.up({ pods: [pod] })
  await stage.apply(...objects)
  const ours = programAt(stage, 'connect4')
  using older = loadObject(join(versionDirectory('older'), 'sock.bpf.o'), { programs: ['connect4'] })
  const { id } = older.program('connect4')
  putAt(stage, 'connect4', older.program('connect4'))
  for (const deadline = performance.now() + 20_000; programAt(stage, 'connect4') !== ours; await sleep(50))
    assert.ok(performance.now() < deadline, stage.agent.log)
  assert.equal(await stage.clients.run('tcp("10.96.22.1", 80)'), `${pod}:8080`)
  const [line = '', ...others] = lines(stage, /were not in place any more, and are again/)
  assert.match(line, new RegExp(`the link of connect4 carries program ${id} \\(connect4\\), not ours`))
  assert.deepEqual(others, [])
})

test('a program that somebody attaches beside ours is told of, and both run', async () => {
  await using stage = await Stage.up({ pods: [pod] })
  await stage.apply(...objects)
  using foreign = loadObject(testObject('socket'), { programs: ['first'] })
  const program = foreign.program('first')
  {
    using _ = attachCgroup({
      program,
      cgroup: stage.host.cgroup,
      attachType: AttachType.CGROUP_INET4_CONNECT,
    })
    const { datapath, problems } = await statusWhen(stage, it => `${it.datapath.neighbours}` !== '')
    assert.deepEqual(datapath.neighbours, [`connect4: program ${program.id} (first) runs after ours`])
    assert.deepEqual(problems, [])
    assert.equal(await stage.clients.run('tcp("10.96.22.1", 80)'), `${pod}:8080`)
  }
  await statusWhen(stage, it => `${it.datapath.neighbours}` === '')
  assert.equal(lines(stage, /programs of others/).length, 2)
})
