import { KpngError } from '@kpng/api'
import { hostPrefix } from '../address.ts'
import { netnsPath } from '../names.ts'
import { runCommand } from '../run-command.ts'

/** A network namespace without a way out, with an address on its loopback. Throws kernel. */
export async function makeOwnNetns(netns: string, address: string): Promise<void> {
  const nodad = address.includes(':') ? ' nodad' : ''
  for (const [argv, input] of [
    [['ip', 'netns', 'add', netns], ''],
    [
      ['nsenter', `--net=${netnsPath(netns)}`, '--', 'ip', '-batch', '-'],
      `link set lo up\naddr add ${hostPrefix(address)} dev lo${nodad}\n`,
    ],
  ] as const) {
    const { exitCode, stderr } = await runCommand(argv, { input })
    if (exitCode !== 0) throw new KpngError('kernel', `${argv.join(' ')}: ${stderr.trim()}`)
  }
}
