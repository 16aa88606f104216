import { requireCapabilities } from '../capabilities.ts'
import type { AgentSettings } from './agent-settings.ts'
import { ConfigurationWatch } from './configuration/configuration-watch.ts'
import type { Intake } from './intake.ts'
import { createLogger } from './logger.ts'
import { openAgent } from './open-agent.ts'
import { servedFamilies } from './served-families.ts'
import { StartLog } from './start-log.ts'

/** For Events on why the agent ends. */
const lastWordsWithinMs = 3_000

/**
 * `kpng <source> … to-ebpf`: runs until SIGTERM, SIGINT or SIGHUP. The datapath stays when it ends. The intake is closed
 * then, or else its owner's.
 */
export async function runAgent(settings: AgentSettings, intake: Intake): Promise<void> {
  const logger = createLogger(settings.logLevel, { instance: settings.instance, node: settings.nodeName })
  const stopped = stopSignal()
  const { configurationFile: file } = settings
  using configuration = file && new ConfigurationWatch(file.path, file.text)
  const missed = requireCapabilities()
  using startLog = new StartLog(settings, servedFamilies(), logger)
  startLog.begin()
  for (const { name, without } of missed) logger.warn({ capability: `CAP_${name}` }, `missing: ${without}`)
  await using agent = await openAgent(settings, intake, logger, startLog)
  if (settings.initOnly) {
    logger.info({}, 'the programs are loaded and the maps pinned; what is left to do needs an agent')
    return
  }
  try {
    // The first reading may take long, or wait for somebody who does not answer.
    const started = agent.start(logger).then(() => stopped)
    const ends = [
      stopped,
      agent.failed,
      started,
      ...(configuration === undefined ? [] : [configuration.changed]),
    ]
    const signal = await Promise.race(ends)
    logger.info({ signal }, 'stopping; the datapath goes on')
  } catch (reason) {
    const why = reason instanceof Error ? reason.message : String(reason)
    logger.error({ err: why }, 'ending; the datapath goes on')
    await agent.eventsSettled(lastWordsWithinMs)
    throw reason
  }
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
