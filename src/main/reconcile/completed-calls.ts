import { broughtBackBy, CARRIERS, isTraced, proofOf, PROVEN_HANDLERS } from '../../contract/recorded-call.ts'
import { recorderHandlers } from '../../contract/recorder.ts'
import { mergeLaneApi } from '../../contract/services.ts'
import { queryRestate } from '../embedded/restate-queries.ts'
import { streamRestate } from '../embedded/restate-stream.ts'

/** A call that Restate has completed with success, and that must be in PostgreSQL. */
export interface CompletedCall {
  id: string
  service: string
  /** Of an object. */
  key: string | undefined
  handler: string
  idempotencyKey: string | undefined
  /** The call that this one records, when it is another one: PostgreSQL has its proof under that id. */
  invokedBy: { service: string; id: string } | undefined
  createdAt: string
  completedAt: string
  /** Whether its release leaves a proof. */
  isProvable: boolean
}

interface Row {
  id: string
  service: string
  object_key?: string | null
  handler: string
  idempotency_key?: string | null
  invoker?: string | null
  invoked_by_id?: string | null
  created_at: string
  completed_at: string
  completion_retention?: string | null
}

/** The handler whose call shows that the merge that sent it was stored. */
export const MERGED = 'Merged'

/** Whether all that a call changed is items, or a merge, which another database has as rows. */
export function bringsItemsOrMerge({ service, handler }: CompletedCall): boolean {
  if (service === mergeLaneApi.name || handler === MERGED) return true
  return Object.hasOwn(recorderHandlers, handler) && handler !== 'RecordImpressions'
}

/** Calls that are looked for in PostgreSQL at once. */
const PAGE = 5_000
const QUERY_MS_MAX = 60_000

const COLUMNS = `id, target_service_name as service, target_service_key as object_key, target_handler_name as handler, idempotency_key,
  invoked_by_service_name as invoker, invoked_by_id, created_at, completed_at, completion_retention`

const IS_PROVEN = PROVEN_HANDLERS.map(
  ({ service, handler }) => `target_service_name = '${service}' and target_handler_name = '${handler}'`,
).join(' or ')

/** Restate's clock. */
export async function restateNowMs(adminUrl: string): Promise<number> {
  const [row] = await queryRestate<{ now: string }>(adminUrl, 'select now() as now')
  return Date.parse(`${row!.now.slice(0, 23)}Z`)
}

/** The calls that were completed in this time, in no order, in pages of a bounded size. */
export async function* completedCalls(adminUrl: string, fromMs: number, toMs: number): AsyncGenerator<CompletedCall[]> {
  const pages = streamRestate<Row>(
    adminUrl,
    `select ${COLUMNS} from sys_invocation
      where status = 'completed' and completion_result = 'success' and (${IS_PROVEN})
        and completed_at > ${instant(fromMs)} and completed_at <= ${instant(toMs)}`,
    PAGE,
  )
  for await (const rows of pages) yield rows.map(callOfRow)
}

/** Ids of one query. */
const IDS_MAX = 500

/** Calls by their ids, whatever has become of them. */
export async function callsById(adminUrl: string, ids: readonly string[]): Promise<Map<string, CompletedCall>> {
  const rows = await inChunks(ids, (chunk) =>
    queryRestate<Row>(adminUrl, `select ${COLUMNS} from sys_invocation where id in (${list(chunk)})`, QUERY_MS_MAX),
  )
  return new Map(rows.map((row) => [row.id, callOfRow(row)]))
}

/** A call that records what another one brought. */
export interface Carrier {
  id: string
  invokedBy: string
  isCompleted: boolean
}

/** The calls that record what these calls brought, because these found PostgreSQL away. Restate has no index of them, and is read once. */
export async function carriersOf(adminUrl: string, ids: ReadonlySet<string>): Promise<Carrier[]> {
  const carriers: Carrier[] = []
  const pages = streamRestate<{ id: string; invoked_by_id: string; status: string }>(
    adminUrl,
    `select id, invoked_by_id, status from sys_invocation
      where invoked_by_id is not null and target_service_name in (${list(CARRIERS)})`,
    PAGE,
  )
  for await (const rows of pages) {
    const some = rows.filter((row) => ids.has(row.invoked_by_id))
    carriers.push(...some.map((row) => ({ id: row.id, invokedBy: row.invoked_by_id, isCompleted: row.status === 'completed' })))
  }
  return carriers
}

/** The id under which PostgreSQL has the proof of a call, as far as the call itself says it. */
export function provenAs({ id, idempotencyKey, invokedBy }: CompletedCall): string {
  return broughtBackBy(idempotencyKey) ?? invokedBy?.id ?? id
}

function callOfRow(row: Row): CompletedCall {
  const { id, service, handler, invoker, invoked_by_id: invokedById } = row
  const isSent = typeof invoker === 'string' && typeof invokedById === 'string'
  const carries = CARRIERS.includes(service) && isSent && proofOf(invoker, handler) !== undefined
  return {
    ...{ id, service, handler },
    key: row.object_key ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    invokedBy: isSent && (carries || handler === MERGED) ? { service: invoker, id: invokedById } : undefined,
    createdAt: row.created_at,
    completedAt: row.completed_at,
    isProvable: proofOf(service, handler) === 'batch' || isTraced(secondsOf(row.completion_retention)),
  }
}

/** Of a duration as Restate writes it: PT3600S. */
function secondsOf(duration: string | null | undefined): number {
  return Number(/^PT(\d+)(\.\d+)?S$/.exec(duration ?? '')?.[1] ?? 0)
}

async function inChunks<Row>(ids: readonly string[], query: (chunk: readonly string[]) => Promise<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for (let at = 0; at < ids.length; at += IDS_MAX) rows.push(...(await query(ids.slice(at, at + IDS_MAX))))
  return rows
}

const instant = (ms: number) => `timestamp '${new Date(ms).toISOString().replace(/Z$/, '')}'`
const list = (texts: readonly string[]) => texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')
