import { sql } from 'kysely'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { answering, type CommandProcess, runCommandProcess, startCommandProcess } from '../harness/programs/command-process.ts'
import { createDatabase, prepareTemplate } from '../harness/servers/database.ts'
import { startTestPostgres } from '../harness/servers/postgres.ts'
import { type ClusterNode, type RestateCluster, startRestateCluster } from '../harness/servers/restate-cluster.ts'
import { settled } from '../harness/servers/stack.ts'
import type { ClusterLoad, ClusterReport } from './cluster-load.ts'

/** Three nodes of Restate, PostgreSQL, two processes of the endpoint and two gateways, as docs/cluster.md has them. */
export interface ClusterSite {
  cluster: RestateCluster
  gatewayUrls: string[]
  db: Database
  /** What the endpoint and the gateways have printed. */
  output: () => string
  stop: () => Promise<void>
}

const PATIENCE_MS = 180_000
/** Five processes start at the same time. */
const START_MS_MAX = 120_000
const SETTLED_MS_MAX = 120_000
/** Requests that are answered before the next trouble begins. */
const FLOWING = 20

/** @param settings of each node of Restate, as environment variables */
export async function startClusterSite(settings: Record<string, string> = {}): Promise<ClusterSite> {
  const parts: CommandProcess[] = []
  const undo: (() => Promise<unknown>)[] = []
  const stop = async () => {
    await Promise.all(parts.map(({ child }) => stopProcess(child, 'SIGKILL')))
    for (const each of undo.reverse()) await each()
  }
  try {
    const postgres = await startTestPostgres()
    undo.push(postgres.stop)
    const cluster = await startRestateCluster(settings)
    undo.push(cluster.remove)
    await prepareTemplate(postgres.url)
    const database = await createDatabase(postgres.url)
    undo.push(database.drop)
    const [endpoint, metrics, ...gateways] = (await freePorts(4)) as [number, number, number, number]
    const environment = {
      DATABASE_URL: database.url,
      RESTATE_INGRESS_URL: cluster.ingressUrl,
      RESTATE_ADMIN_URL: cluster.adminUrl,
      ENDPOINT_PORT: String(endpoint),
      ENDPOINT_METRICS_PORT: String(metrics),
      ENDPOINT_PROCESSES: '2',
      LOG_LEVEL: 'warn',
    }
    const start = async (command: string, url: string, own: Record<string, string> = {}) => {
      const part = startCommandProcess([command], { ...environment, ...own })
      parts.push(part)
      await answering(part, `${url}/health`, START_MS_MAX)
    }
    await start('endpoint', `http://127.0.0.1:${metrics}`)
    const { code, output } = await runCommandProcess(['register'], environment)
    if (code !== 0) throw new Error(`register ended with ${code}: ${output}`)
    const gatewayUrls = gateways.map((port) => `http://127.0.0.1:${port}`)
    await Promise.all(gateways.map((port, n) => start('gateway', gatewayUrls[n]!, { GATEWAY_PORT: String(port) })))
    const printed = () => parts.map((part) => part.output()).join('\n')
    return { cluster, gatewayUrls, db: database.db, output: printed, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Resolves when some requests more were answered. */
export async function flowing(load: ClusterLoad): Promise<void> {
  const before = load.answered()
  if (await until(async () => load.answered() >= before + FLOWING, PATIENCE_MS)) return
  throw new Error(`${load.answered() - before} of ${FLOWING} requests were answered in ${PATIENCE_MS} ms`)
}

/** Ends a node under load, starts it again, and waits until the cluster is whole. @returns what its absence did to the requests. */
export async function endAndStart(
  cluster: RestateCluster,
  node: ClusterNode,
  how: 'kill' | 'stop',
  load: ClusterLoad,
): Promise<{ pauseMs: number; answerMs: number }> {
  load.longest()
  await node[how]()
  await flowing(load)
  await node.start()
  await flowing(load)
  if (!(await until(() => cluster.isWhole(3), PATIENCE_MS)))
    throw new Error(`${node.name} did not come back within ${PATIENCE_MS} ms`)
  return load.longest()
}

/** What is wrong with the log and the numbers after a load: nothing may be. */
export async function problemsAfter({ db }: ClusterSite, { acknowledged, failed }: ClusterReport): Promise<string[]> {
  await settled(db, SETTLED_MS_MAX)
  const { rows } = await sql<{ id: string }>`select event_id as id from interaction`.execute(db)
  const logged = new Set(rows.map(({ id }) => id))
  const lost = acknowledged.filter((id) => !logged.has(id))
  const { drift, events } = await verify(db)
  return [
    ...failed.map((each) => `failed: ${each}`),
    ...(lost.length > 0 ? [`${lost.length} events are lost`] : []),
    ...(rows.length === acknowledged.length ? [] : [`${rows.length} rows of ${acknowledged.length} acknowledged events`]),
    ...(events === rows.length ? [] : [`${events} of ${rows.length} events are counted`]),
    ...drift.map((cell) => `drift: ${JSON.stringify(cell)}`),
  ]
}
