import { Agent } from './agent.ts'
import type { AgentSettings } from './agent-settings.ts'
import type { OpenSource } from './agent-source.ts'
import { createLogger } from './logger.ts'

/** `kpng <source> … to-ebpf`: runs until SIGTERM, SIGINT or SIGHUP. The datapath stays when it ends. */
export async function runAgent(settings: AgentSettings, openSource: OpenSource): Promise<void> {
  const logger = createLogger(settings.logLevel, { instance: settings.instance, node: settings.nodeName })
  const stopped = stopSignal()
  await using agent = await Agent.open(settings, openSource, logger)
  // The first reading may take long, or wait for somebody who does not answer.
  const started = agent.start(logger).then(() => stopped)
  const signal = await Promise.race([stopped, agent.failed, started])
  logger.info({ signal }, 'stopping; the datapath goes on')
  await agent[Symbol.asyncDispose]()
}

/** The first signal ends the agent in order; a second one ends the process at once, as KPNG does. */
function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      resolve(signal)
    })
  return promise
}
