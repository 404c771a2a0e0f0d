import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HooksProvider } from '@restatedev/restate-sdk'
import * as clients from '@restatedev/restate-sdk-clients'
import { pino } from 'pino'
import type { Deps } from '../../services/deps.ts'
import { TASKS } from '../../services/periodic-tasks.ts'
import { freePorts, stopProcess, until } from '../../src/main/embedded/process.ts'
import { queryRestate, register, startRestate } from '../../src/main/embedded/restate.ts'
import { serveEndpoint } from '../../src/main/serve-endpoint.ts'
import { backlog } from '../../src/store/backlog.ts'
import { KEEP_ALL } from '../../src/store/privacy.ts'
import type { Store } from '../../src/store/database.ts'
import { unobserved } from './unobserved.ts'

export interface Stack {
  ingressUrl: string
  adminUrl: string
  endpointUrl: string
  ingress: clients.Ingress
  /** Resolves when everything recorded is counted and fed. */
  settled: () => Promise<void>
  stop: () => Promise<void>
}

/** A restate-server of its own and the services on it, on free ports, over the given database. */
export async function startStack(db: Store, changes: Partial<Deps> = {}, hooks: HooksProvider[] = []): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-restate-'))
  const [ingressPort, admin, node, endpointPort] = (await freePorts(4)) as [number, number, number, number]
  const restate = await startRestate({
    folder,
    configFile: join(import.meta.dirname, '..', '..', 'restate.toml'),
    ports: { ingress: ingressPort, admin, node },
    log: openSync(join(folder, 'restate.log'), 'a'),
    settings: process.env['ALWAYS_REPLAY'] ? { RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT: '0s' } : {},
  })
  const deps: Deps = {
    db,
    background: db,
    retryPolicy: { initialInterval: 50, maxInterval: 500, exponentiationFactor: 2, maxAttempts: 200, onMaxAttempts: 'pause' },
    privacy: KEEP_ALL,
    keeping: { retentionDays: undefined, rollUpAfterDays: undefined },
    tasks: TASKS,
    observer: unobserved,
    reached: () => undefined,
    ...changes,
  }
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' })
  const server = await serveEndpoint(deps, { host: '127.0.0.1', port: endpointPort, log, hooks })
  const adminUrl = `http://127.0.0.1:${admin}`
  const ingressUrl = `http://127.0.0.1:${ingressPort}`
  const endpointUrl = `http://127.0.0.1:${endpointPort}`
  await register(adminUrl, endpointUrl)
  return {
    ingressUrl,
    adminUrl,
    endpointUrl,
    ingress: clients.connect({ url: ingressUrl }),
    settled: () => settled(db),
    stop: async () => {
      await stopProcess(restate, 'SIGTERM')
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Resolves when every recorded batch is counted and fed. */
export async function settled(db: Store, patienceMs = 30_000): Promise<void> {
  const done = await until(async () => {
    const { unscoredBatches, unfedBatches } = await backlog(db)
    return unscoredBatches + unfedBatches === 0
  }, patienceMs)
  if (!done) throw new Error(`still waiting after ${patienceMs} ms: ${JSON.stringify(await backlog(db))}`)
}

/** Asks Restate's own tables. */
export function query(stack: Pick<Stack, 'adminUrl'>, text: string): Promise<Record<string, unknown>[]> {
  return queryRestate(stack.adminUrl, text)
}
