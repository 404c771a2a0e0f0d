import type { HooksProvider } from '@restatedev/restate-sdk'
import * as clients from '@restatedev/restate-sdk-clients'
import { pino } from 'pino'
import type { Deps } from '../../../services/handler/deps.ts'
import { register } from '../../../src/main/release/deployments.ts'
import { queryRestate } from '../../../src/main/embedded/restate-queries.ts'
import { type Endpoint, serveEndpoint } from '../../../src/main/endpoint/serve-endpoint.ts'
import { backlog } from '../../../src/store/log/backlog.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { TEST_DEPS } from './deps.ts'
import { startTestRestate } from './restate.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { until } from '../../../src/main/embedded/until.ts'

export interface Stack {
  ingressUrl: string
  adminUrl: string
  endpointUrl: string
  ingress: clients.Ingress
  /** Resolves when everything recorded is counted and fed. */
  settled: () => Promise<void>
  /** Registers another endpoint at an address of its own, with other dependencies. */
  release: (changes: Partial<Deps>) => Promise<Endpoint>
  /** Ends the first endpoint. */
  drain: Endpoint['drain']
  stop: () => Promise<void>
}

/** Replacements of the services' dependencies, and hooks around their handlers. */
export interface StackChanges {
  deps?: Partial<Deps>
  hooks?: HooksProvider[]
}

/** A restate-server of its own and the services on it, on free ports, over the given database. */
export async function startStack(db: Database, changes: Partial<Deps> = {}, hooks: HooksProvider[] = []): Promise<Stack> {
  const restate = await startTestRestate()
  const { adminUrl, ingressUrl } = restate
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' })
  const release = async (changed: Partial<Deps>) => {
    const [port] = (await freePorts(1)) as [number]
    const deps: Deps = { db, background: db, ...TEST_DEPS, ...changed }
    const endpoint = await serveEndpoint(deps, { host: restate.endpointHost, port, log, hooks })
    await register(adminUrl, restate.urlOfEndpoint(port), { isForced: true })
    return { ...endpoint, port }
  }
  const endpoint = await release(changes)
  return {
    ingressUrl,
    adminUrl,
    endpointUrl: `http://127.0.0.1:${endpoint.port}`,
    ingress: clients.connect({ url: ingressUrl }),
    settled: () => settled(db),
    release: (changed) => release({ ...changes, ...changed }),
    drain: endpoint.drain,
    stop: async () => {
      await restate.stop()
      await endpoint.drain(0)
    },
  }
}

/** Resolves when every recorded batch is counted and fed. */
export async function settled(db: Database, patienceMs = 30_000): Promise<void> {
  const done = await until(async () => {
    const { uncountedBatches, unfedBatches } = await backlog(db)
    return uncountedBatches + unfedBatches === 0
  }, patienceMs)
  if (!done) throw new Error(`still waiting after ${patienceMs} ms: ${JSON.stringify(await backlog(db))}`)
}

/** Asks Restate's own tables. */
export function query(stack: Pick<Stack, 'adminUrl'>, text: string): Promise<Record<string, unknown>[]> {
  return queryRestate(stack.adminUrl, text)
}
