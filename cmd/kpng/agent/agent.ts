import type { Problem } from '@kpng/api'
import type { EbpfBackend, SyncPass } from '@kpng/backend-ebpf'
import { countEvents } from '@kpng/observe'
import { LocalView } from '@kpng/server'
import type { Logger } from 'pino'
import { journalPath, socketPath } from '../run-dir.ts'
import { version } from '../version.ts'
import { encodeViewDocument } from '../view-document.ts'
import { AgentEvents } from './agent-events.ts'
import type { AgentSettings } from './agent-settings.ts'
import type { AgentSource } from './agent-source.ts'
import { FirstCollection } from './first-collection.ts'
import type { Intake } from './intake.ts'
import { LoggingSink } from './logging-sink.ts'
import { Observation } from './observation.ts'
import { Pace } from './pace.ts'
import { ProblemLog } from './problem-log.ts'
import type { StartLog } from './start-log.ts'
import { StatusServer } from './status-server.ts'
import { ViewJournal } from './view-journal.ts'
import { viewOptions } from './view-options.ts'

/** Between two looks at the problems of all Services, at least. */
const problemIntervalMs = 100

interface AgentOptions {
  readonly settings: AgentSettings
  readonly intake: Intake
  readonly backend: EbpfBackend
  readonly cgroup: string
  readonly logger: Logger
  readonly startLog: StartLog
}

/** One agent: source -> store -> this node's view -> maps, and the status API beside it. */
export class Agent implements AsyncDisposable {
  readonly #settings: AgentSettings
  readonly #cgroup: string
  readonly #startedAt = new Date().toISOString()
  readonly #resources: AsyncDisposableStack
  readonly #backend: EbpfBackend
  readonly #source: AgentSource
  readonly #view: LocalView
  readonly #events: AgentEvents
  readonly #observation: Observation
  readonly #journal: ViewJournal
  readonly #problemsDue: Pace
  readonly #startLog: StartLog
  readonly #firstCollection: FirstCollection
  readonly #logger: Logger

  /** resources: closed with it, after its own. The intake is its own from here on. */
  constructor(options: AgentOptions, resources: AsyncDisposableStack) {
    const { settings, intake, backend, cgroup, logger, startLog } = options
    const { store, source } = intake
    this.#settings = settings
    this.#logger = logger
    this.#startLog = startLog
    this.#cgroup = cgroup
    this.#resources = resources
    this.#backend = backend
    this.#source = source
    const problemLog = new ProblemLog(logger)
    this.#problemsDue = resources.use(
      new Pace(
        () => {
          const problems = this.#problems()
          problemLog.update(problems, this.#source.notes?.())
          this.#events.problems(problems)
        },
        { minIntervalMs: problemIntervalMs },
      ),
    )
    this.#events = resources.use(new AgentEvents({ nodeName: settings.nodeName, store, logger }))
    this.#observation = resources.use(
      new Observation({
        ...{ settings, backend, logger },
        node: () => this.#view.node(),
        recorder: this.#events,
        onChange: () => this.changed(),
      }),
    )
    this.#journal = resources.use(
      new ViewJournal({
        path: journalPath(settings.instance),
        pieces: () => this.#document(),
        onError: reason => logger.warn({ err: reason }, 'the view could not be written down'),
      }),
    )
    this.#view = resources.use(
      new LocalView(store, settings.nodeName, new LoggingSink(this.#observation.watch, logger), {
        ...viewOptions(settings),
        ...this.#observation.viewHooks,
      }),
    )
    this.#firstCollection = resources.use(new FirstCollection(logger))
    resources.use(intake)
    intake.listen({
      written: (write, ready) => this.#observation.written(write, ready),
      changed: () => this.changed(),
      answered: answer => this.#observation.answered(answer),
    })
    this.#events.begin(source.client)
    countEvents(this.#observation.metrics.registry, () => this.#events.counts)
  }

  /** Begins to answer on the status socket. */
  async listen(): Promise<void> {
    const { metrics } = this.#observation
    const logger = this.#logger
    this.#resources.use(
      await StatusServer.listen({
        path: socketPath(this.#settings.instance),
        status: () => this.#status(),
        sync: () => this.sync(),
        view: () => this.#document(),
        onError: reason => logger.warn({ err: reason }, 'the status socket could not take a connection'),
        metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
      }),
    )
    await this.#observation.open()
  }

  /** Rejects when something that the agent cannot do without has failed. */
  get failed(): Promise<never> {
    return this.#observation.failed
  }

  /** Resolves when the source has been read for the first time. */
  async start(logger: Logger): Promise<void> {
    this.#events.started(version)
    await this.#source.start()
    logger.info({ cgroup: this.#cgroup, version, generation: this.#backend.generation }, 'started')
  }

  /** Has the source look at everything, and waits until the datapath carries what it says. */
  async sync(): Promise<void> {
    await this.#source.rescan()
    await this.#view.settled()
    await this.#backend.settled()
    this.changed()
  }

  repaired(what: string): void {
    this.#events.repaired(what)
  }

  /** Resolves when all Events are written, or after so long. */
  async eventsSettled(withinMs: number): Promise<void> {
    await this.#events.settled(withinMs)
  }

  passed(pass: SyncPass): void {
    const { durationMs, full, failed } = pass
    this.#logger.debug(
      { elapsedMs: Math.round(durationMs), fullSync: full, failed },
      'SyncProxyRules complete',
    )
    this.#observation.passed(pass)
    // What did not fit may fit now, and nobody else says so.
    this.changed()
  }

  changed(): void {
    this.#observation.look()
    this.#startLog.node(this.#view.node())
    this.#problemsDue.request()
    // What a previous agent wrote is what is in force until then; and nothing keeps the first view waiting.
    if (!this.#backend.attached) return
    this.#journal.touch()
    this.#firstCollection.placed()
  }

  /** Looks at every Service. */
  #problems(datapath = this.#backend.status()): Problem[] {
    const observed = this.#observation.problems()
    return [...this.#source.problems(), ...datapath.problems, ...datapath.notServed, ...observed]
  }

  #status() {
    const datapath = this.#backend.status()
    return {
      pid: process.pid,
      version,
      instance: this.#settings.instance,
      node: this.#settings.nodeName,
      startedAt: this.#startedAt,
      synced: this.#backend.attached,
      revision: this.#view.revision,
      cgroupRoot: this.#cgroup,
      problems: this.#problems(datapath),
      notes: this.#source.notes?.() ?? [],
      datapath,
    }
  }

  #document(): Iterable<string> {
    return encodeViewDocument(
      {
        version: 2,
        instance: this.#settings.instance,
        pid: process.pid,
        writtenAt: new Date().toISOString(),
        synced: this.#backend.attached,
        node: this.#view.node() ?? null,
        nodePortAddresses: this.#backend.nodePortAddresses,
        problems: this.#problems(),
      },
      // They change while the pieces are written.
      [...this.#view.services()],
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
