/**
 * `make demo`: a tour of what the proxy does, in a lab made from a real cluster's manifests. On a terminal the lab
 * stays open afterwards; elsewhere it is taken down. Exits with 1 when something was not as it should be.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { frontend, nodes, somePod } from './cluster.ts'
import { DemoLab } from './lab.ts'
import { Manifests } from './manifests.ts'
import { Screen } from './screen.ts'
import { Tour } from './tour.ts'

const dump = join(import.meta.dirname, '../../../examples/cluster/dump.yaml')

async function main(): Promise<number> {
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  const screen = new Screen(process.stdout, terminal)
  // One open lab for people; runs of programs may come at the same time.
  const name = terminal ? 'demo' : `demo-${process.pid}`
  const dir = join(tmpdir(), `kpng-${name}`)
  mkdirSync(dir, { recursive: true })
  const lab = new DemoLab(name, dir)
  const takeDown = async (): Promise<void> => {
    await lab.down()
    rmSync(dir, { recursive: true, force: true })
  }
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      screen.line('taking the lab down')
      takeDown().finally(() => process.exit(130))
    })
  // A terminal that was closed takes no more lines; the lab has to come down all the same.
  process.stdout.on('error', () => undefined)

  try {
    await new Tour(screen, lab, new Manifests(dump, dir)).run()
  } catch (reason) {
    // The signal that ended the tour takes down the lab, and then ends this process.
    if (stopping) await new Promise(() => undefined)
    screen.check(false, `the tour ended early: ${reason instanceof Error ? reason.message : String(reason)}`)
  }
  const good = screen.failures === 0
  screen.heading(good ? 'Everything was as it should be' : `${screen.failures} checks did not hold`)
  if (terminal) sayWhatToTry(screen, lab)
  else {
    await takeDown()
    screen.line('the lab is down again')
  }
  return good ? 0 : 1
}

function sayWhatToTry(screen: Screen, lab: DemoLab): void {
  const kpng = 'bin/kpng'
  const address = `${frontend.clusterIP}:${frontend.port}`
  screen.line(`The lab "${lab.name}" is open. Try:`)
  for (const command of [
    `${kpng} lab ls`,
    `${kpng} get services --instance ${lab.instance(nodes[0])}`,
    `${kpng} explain ${address} --instance ${lab.instance(nodes[0])}`,
    `${kpng} lab probe --name ${lab.name} --from ${somePod} --to ${address} --count 30`,
    `${kpng} lab exec --name ${lab.name} node/${nodes[0]} -- bash -c 'cat </dev/tcp/${frontend.clusterIP}/${frontend.port}'`,
    `${kpng} lab apply --name ${lab.name} --state ${lab.dir}    # after a change of ${lab.dir}/cluster.json`,
    `${kpng} lab down --name ${lab.name} && rm -r ${lab.dir}    # when you have seen enough`,
  ])
    screen.command(command)
}

process.exitCode = await main()
