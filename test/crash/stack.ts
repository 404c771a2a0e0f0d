import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { postgresUrl, startPostgres } from '../../src/main/embedded/postgres.ts'
import { exitOf, isProcessGone, stopProcess } from '../../src/main/embedded/process.ts'
import { register } from '../../src/main/release/deployments.ts'
import { startRestate } from '../../src/main/embedded/restate.ts'
import { connect } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { comingMonths, makePartitions } from '../../src/store/log/month.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { BALANCED, TEST_LANES } from '../harness/servers/database.ts'
import type { Death } from './endpoint-messages.ts'
import { armEndpoint, loadEndpoint, openEndpoint, setClock } from './endpoint-process.ts'
import { startGatewayProcess } from './gateway-process.ts'
import { HORIZON } from './items.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { until } from '../../src/main/embedded/until.ts'

type Ports = Record<'ingress' | 'admin' | 'node' | 'postgres' | 'endpoint' | 'gateway', number>

export type Victim = 'postgres' | 'restate' | 'endpoint' | 'gateway'

const REVIVE_MS_MAX = 30_000
const CHECKOUT = join(import.meta.dirname, '..', '..')

/** PostgreSQL, restate-server, the endpoint and perhaps a gateway, each a process that can be killed and started again on the same data. */
export class CrashStack {
  kills = 0
  /** Aborted when a process exits that the test has not killed, e.g. because of a lost connection. */
  readonly broken = new AbortController()
  readonly folder = mkdtempSync(join(tmpdir(), 'footfall-crash-'))
  readonly db: Kysely<unknown>
  readonly #ports: Ports
  readonly #databaseUrl: string
  readonly #archiveFolder: string | undefined
  readonly #running = new Map<Victim, ChildProcess>()
  readonly #doomed = new WeakSet<ChildProcess>()
  readonly #killAll = () => this.#running.forEach((child) => child.kill('SIGKILL'))
  /** The successor of the running endpoint, loaded ahead because loading is most of a start. */
  #next: Promise<ChildProcess> | undefined
  #aheadMs = 0
  /** Where the next endpoint dies. */
  #nextDeath: Death | undefined
  #isStopping = false

  constructor(ports: Ports, archiveFolder?: string) {
    this.#ports = ports
    this.#archiveFolder = archiveFolder
    this.#databaseUrl = postgresUrl({ port: ports.postgres, password: PASSWORD })
    this.db = connect({ url: this.#databaseUrl, name: 'crash test' })
    process.once('exit', this.#killAll)
  }

  get ingressUrl(): string {
    return `http://127.0.0.1:${this.#ports.ingress}`
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#ports.admin}`
  }

  get endpointUrl(): string {
    return `http://127.0.0.1:${this.#ports.endpoint}`
  }

  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.#ports.gateway}`
  }

  /** The processes that run. */
  get victims(): Victim[] {
    return [...this.#running.keys()]
  }

  /** Starts a process that is dead. Retries, because its predecessor may still hold the folder or the port for a moment. */
  async revive(victim: Victim): Promise<void> {
    let lastError: unknown
    const isBack = await until(async () => {
      try {
        this.#watch(victim, await this.#start(victim))
        return true
      } catch (error) {
        lastError = error
        return false
      }
    }, REVIVE_MS_MAX)
    if (!isBack) throw lastError
  }

  /** Kills a process; resolves when it has exited. */
  async kill(victim: Victim): Promise<void> {
    const child = this.#running.get(victim)!
    const ended = isProcessGone(child) ? undefined : once(child, 'exit')
    this.#doomed.add(child)
    child.kill('SIGKILL')
    await ended
  }

  /** Sets where the endpoint dies; `died` resolves when it has. */
  async arm(death: Death): Promise<{ died: Promise<unknown> }> {
    const child = this.#running.get('endpoint')!
    const died = once(child, 'exit')
    this.#doomed.add(child)
    await armEndpoint(child, death)
    return { died }
  }

  /** Starts the endpoint armed, so that it dies at the first point even when it reaches that at once. */
  async reviveArmed(death: Death): Promise<{ died: Promise<unknown> }> {
    this.#nextDeath = death
    await this.revive('endpoint')
    return { died: exitOf(this.#running.get('endpoint')!) }
  }

  /**
   * Does the work with the endpoint armed, and revives the endpoint if it dies; `onDeath` runs before that. After the work it waits up to `waitMs` for
   * the death, because scheduled tasks may reach the point later.
   * @returns whether the endpoint died.
   */
  async dieDuring(
    death: Death,
    work: () => Promise<unknown>,
    { onDeath, waitMs = 0 }: { onDeath?: () => Promise<void>; waitMs?: number } = {},
  ): Promise<boolean> {
    const { died } = await this.arm(death)
    const done = work()
    const dead = died.then(onDeath).then(() => true)
    const waited = done.then(() => (waitMs === 0 ? false : Promise.race([dead, sleep(waitMs, false, { ref: false })])))
    const hasDied = (await Promise.race([dead, waited])) || !(await this.#disarm())
    if (hasDied) {
      await dead
      await this.revive('endpoint')
    }
    await done
    return hasDied
  }

  /** @returns false when the endpoint has died already. */
  async #disarm(): Promise<boolean> {
    const child = this.#running.get('endpoint')!
    try {
      await armEndpoint(child, null)
    } catch (error) {
      if (isProcessGone(child)) return false
      throw error
    }
    this.#doomed.delete(child)
    return true
  }

  /** Moves the clock of the handlers ahead; Restate keeps the machine's clock. */
  async moveClock(byMs: number): Promise<void> {
    this.#aheadMs += byMs
    await setClock(this.#running.get('endpoint')!, this.#aheadMs)
  }

  async logOf(victim: Victim): Promise<string> {
    return readFile(join(this.folder, `${victim}.log`), 'utf8')
  }

  /** Stops every process. The folder with the data and the logs can be kept for inspection. */
  async stop(options: { keepFolder: boolean }): Promise<void> {
    this.#isStopping = true
    await this.db.destroy()
    process.off('exit', this.#killAll)
    // PostgreSQL last, and with SIGQUIT, because SIGKILL would leak its shared memory.
    for (const victim of ['gateway', 'endpoint', 'restate', 'postgres'] as const) {
      const child = this.#running.get(victim)
      if (child !== undefined) await stopProcess(child, victim === 'postgres' ? 'SIGQUIT' : 'SIGKILL')
    }
    const next = await this.#next?.catch(() => undefined)
    if (next !== undefined) await stopProcess(next, 'SIGKILL')
    if (!options.keepFolder) await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  async #start(victim: Victim): Promise<ChildProcess> {
    const log = openSync(join(this.folder, `${victim}.log`), 'a')
    try {
      return await this.#startWith(victim, log)
    } finally {
      closeSync(log)
    }
  }

  #startWith(victim: Victim, log: number): Promise<ChildProcess> {
    const folder = join(this.folder, victim)
    const ports = this.#ports
    if (victim === 'postgres') return startPostgres({ folder, port: ports.postgres, password: PASSWORD, log })
    if (victim === 'restate') return startRestate({ folder, configFile: join(CHECKOUT, 'restate.toml'), ports, log })
    if (victim === 'gateway') {
      return startGatewayProcess({ databaseUrl: this.#databaseUrl, ingressUrl: this.ingressUrl, port: ports.gateway, log })
    }
    return this.#startEndpoint(log)
  }

  async #startEndpoint(log: number): Promise<ChildProcess> {
    const load = () =>
      loadEndpoint({ databaseUrl: this.#databaseUrl, port: this.#ports.endpoint, archiveFolder: this.#archiveFolder, log })
    const loading = this.#next ?? load()
    this.#next = undefined
    const child = await loading
    await setClock(child, this.#aheadMs)
    if (this.#nextDeath !== undefined) {
      await armEndpoint(child, this.#nextDeath)
      this.#doomed.add(child)
      this.#nextDeath = undefined
    }
    await openEndpoint(child)
    this.#next = load()
    return child
  }

  #watch(victim: Victim, child: ChildProcess): void {
    this.#running.set(victim, child)
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return
      if (signal === 'SIGKILL' && this.#doomed.has(child)) this.kills += 1
      else this.broken.abort(`${victim} exited by itself: ${signal ?? `exit code ${code}`}`)
    })
  }
}

const PASSWORD = 'test'

/** Starts a stack with a folder and ports of its own. With a folder for archives its endpoint has retention. */
export async function startCrashStack({
  hasGateway = false,
  archiveFolder,
}: { hasGateway?: boolean; archiveFolder?: string } = {}): Promise<CrashStack> {
  const names = ['ingress', 'admin', 'node', 'postgres', 'endpoint', 'gateway'] as const
  const free = await freePorts(names.length)
  const stack = new CrashStack(Object.fromEntries(names.map((name, n) => [name, free[n]!])) as Ports, archiveFolder)
  try {
    await stack.revive('postgres')
    await prepare(stack.db)
    await Promise.all([stack.revive('restate'), stack.revive('endpoint')])
    await register(stack.adminUrl, stack.endpointUrl, { isForced: true })
    if (hasGateway) await stack.revive('gateway')
    return stack
  } catch (error) {
    await stack.stop({ keepFolder: true })
    throw error
  }
}

/** Creates the schema, the balanced weights, this month's partitions and a horizon. */
async function prepare(db: Kysely<unknown>): Promise<void> {
  await migrate(db, join(CHECKOUT, 'sql'))
  await rescore(db, BALANCED)
  await changeLanes(db, TEST_LANES)
  await makePartitions(db, await comingMonths(db, 1))
  await sql`update log_horizon set horizon = ${HORIZON}`.execute(db)
}
