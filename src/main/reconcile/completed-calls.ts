import { broughtBackBy, CARRIERS, isTraced, proofOf, PROVEN_HANDLERS } from '../../contract/recorded-call.ts'
import { recorderHandlers } from '../../contract/recorder.ts'
import { mergeLaneApi } from '../../contract/services.ts'
import { queryRestate } from '../embedded/restate.ts'

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

/** Rows of one answer of Restate. */
const PAGE = 5_000
/** Restate reads every invocation for a page. */
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

/** The calls that were completed in this time, in order, in pages of a bounded size. */
export async function* completedCalls(adminUrl: string, fromMs: number, toMs: number): AsyncGenerator<CompletedCall[]> {
  let after = { completed_at: new Date(fromMs).toISOString(), id: '' }
  for (;;) {
    const rows = await queryRestate<Row>(
      adminUrl,
      `select ${COLUMNS} from sys_invocation
        where status = 'completed' and completion_result = 'success' and (${IS_PROVEN})
          and completed_at <= ${instant(new Date(toMs).toISOString())}
          and (completed_at > ${instant(after.completed_at)} or completed_at = ${instant(after.completed_at)} and id > '${after.id}')
        order by completed_at, id limit ${PAGE}`,
      QUERY_MS_MAX,
    )
    if (rows.length > 0) yield rows.map(callOfRow)
    if (rows.length < PAGE) return
    after = rows.at(-1)!
  }
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

/** The calls that record what these calls brought, because these found PostgreSQL away. */
export async function carriersOf(adminUrl: string, ids: readonly string[]): Promise<Carrier[]> {
  const rows = await inChunks(ids, (chunk) =>
    queryRestate<{ id: string; invoked_by_id: string; status: string }>(
      adminUrl,
      `select id, invoked_by_id, status from sys_invocation
        where invoked_by_id in (${list(chunk)}) and target_service_name in (${list(CARRIERS)})`,
      QUERY_MS_MAX,
    ),
  )
  return rows.map(({ id, invoked_by_id, status }) => ({ id, invokedBy: invoked_by_id, isCompleted: status === 'completed' }))
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

const instant = (text: string) => `timestamp '${text.replace(/Z$/, '')}'`
const list = (texts: readonly string[]) => texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')
