import { CARRIERS, reconcileKeyOf } from '../../contract/recorded-call.ts'
import { CALL_HEADER, RECEIVED_HEADER, recorderHandlers } from '../../contract/recorder.ts'
import { analyticApi, catalogApi, mergeLaneApi, SERVICE_APIS, shopperApi } from '../../contract/services.ts'
import { MergeRequest } from '../../contract/shopper-merge.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { isRefusedCall, refusalOf } from '../../ingress/refusal.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { callOf } from '../../store/log/call.ts'
import { jumpBatchIds, recordedAmong, traceCall } from '../../store/log/recorded-call.ts'
import { purgeInvocation } from '../embedded/restate-queries.ts'
import { eachAtOnce, groupsOf } from './at-once.ts'
import type { LostCall } from './compare.ts'
import { type CompletedCall, MERGED } from './completed-calls.ts'
import { inputOf } from './journal.ts'
import { forgetKept, keepCall, type KeptCall, keptCall, keptIds, putAside } from './kept-call.ts'

export interface RepairDeps {
  adminUrl: string
  ingress: Pick<Ingress, 'callWithJson'>
  db: Queryable
  /** Keeps calls on their way back, so that a kill loses none. */
  folder: string
}

/** What became of a lost call. */
export type Repaired = { id: string; handler: string; completedAt: string } & (
  | { outcome: 'brought back' }
  /** Restate kept no journal of it, and has forgotten that it was completed: sent again it is recorded. */
  | { outcome: 'forgotten' }
  /** PostgreSQL refused it now. */
  | { outcome: 'refused'; message: string; file: string }
)

/** A body has at most 16 MiB, and Restate writes it four times as long. */
const READ_AT_ONCE = 4
const SENT_AT_ONCE = 8
const IDS_MAX = 5_000

/**
 * Brings lost calls back into PostgreSQL, in the way in which they came: Restate forgets each call, and gets it again with the same key, so that it is
 * the same invocation with the same ids. Calls that an earlier repair left on its way come first. All bodies are on the disk before the first call is
 * sent, because Restate keeps journals for minutes. @throws when an outage stops it; the next repair goes on.
 */
export async function repair(deps: RepairDeps, lost: readonly LostCall[]): Promise<Repaired[]> {
  const { folder } = deps
  if (lost.length > 0) await jumpBatchIds(deps.db)
  const left = await eachAtOnce(await keptIds(folder), READ_AT_ONCE, async (id) => wayOf(await keptCall(folder, id)))
  const others = await withoutRecorded(deps.db, lost, new Set(left.map(({ id }) => id)))
  const kept = await eachAtOnce(others, READ_AT_ONCE, (call) => keep(deps, call))
  // Joined at the end: as the arguments of one push more than 120,000 calls are too many.
  const repaired: Repaired[][] = []
  // Whatever is not items takes its place in the order: a merge, an erasure, a change of keys.
  const ways = [...left, ...kept.filter((way) => way !== undefined)].toSorted((one, other) => one.endedMs - other.endedMs)
  for (const group of groupsOf(ways, ({ bringsItems }) => bringsItems)) {
    repaired.push(await eachAtOnce(group, SENT_AT_ONCE, async ({ id }) => bringBack(deps, await keptCall(folder, id))))
  }
  const without = others.filter((_call, at) => kept[at] === undefined)
  repaired.push(await eachAtOnce(without, SENT_AT_ONCE, (call) => forget(deps, call)))
  return repaired.flat()
}

/** Without those that PostgreSQL has by now, and those that are kept already. */
async function withoutRecorded(db: Queryable, lost: readonly LostCall[], kept: ReadonlySet<string>): Promise<LostCall[]> {
  const others: LostCall[] = []
  for (let at = 0; at < lost.length; at += IDS_MAX) {
    const some = lost.slice(at, at + IDS_MAX)
    const recorded = await recordedAmong(
      db,
      some.map(({ id }) => id),
    )
    others.push(...some.filter(({ id }) => !recorded.has(id) && !kept.has(id)))
  }
  return others
}

/** A kept call without its body. */
interface Way {
  id: string
  endedMs: number
  bringsItems: boolean
}

function wayOf({ id, handler, completedAt }: KeptCall): Way {
  return { id, endedMs: Date.parse(completedAt), bringsItems: Object.hasOwn(recorderHandlers, handler) }
}

/** Keeps the body of a lost call on the disk. @returns undefined where Restate kept no journal of any part of it. */
async function keep(deps: RepairDeps, call: LostCall): Promise<Way | undefined> {
  const kept = await keptCallOf(deps, call)
  if (kept === undefined) return undefined
  await keepCall(deps.folder, kept)
  return wayOf(kept)
}

/** A lost call as it is sent again; undefined where Restate kept no journal of any part of it. */
async function keptCallOf({ adminUrl }: RepairDeps, { id, parts }: LostCall): Promise<KeptCall | undefined> {
  // The call itself first, because only its own key gives the same invocation.
  for (const part of parts.toSorted((one, other) => Number(other.id === id) - Number(one.id === id))) {
    const input = await inputOf(adminUrl, part.id)
    if (input === undefined || part.handler === MERGED) continue
    const isMerge = part.service === mergeLaneApi.name
    const isItself = part.id === id && part.idempotencyKey !== undefined && !isMerge
    const receivedMs = input.receivedMs ?? Date.parse(part.createdAt)
    return {
      id,
      ...targetOf(part),
      idempotencyKey: isItself ? part.idempotencyKey! : reconcileKeyOf(id),
      headers: { ...input.headers, [RECEIVED_HEADER]: String(receivedMs), ...(!isItself && { [CALL_HEADER]: id }) },
      body: (isMerge ? mergeIn(input.body) : input.body).toString('base64'),
      completedAt: part.completedAt,
      purged: parts.map((each) => each.id),
    }
  }
  return undefined
}

/** The request for a merge in that of its lane. */
function mergeIn(body: Buffer): Buffer {
  const { session_id, account_id } = MergeRequest.loose().parse(JSON.parse(body.toString()))
  return Buffer.from(JSON.stringify({ session_id, account_id } satisfies MergeRequest))
}

/** Where a call is sent again. What was set aside goes to the service of its handler, because Restate's ingress does not offer SetAside. */
function targetOf({ service, handler, key }: CompletedCall): Pick<KeptCall, 'service' | 'handler' | 'key'> {
  // Restate's ingress does not offer the lanes of merges either.
  if (service === mergeLaneApi.name) return { service: shopperApi.name, handler }
  if (service !== 'SetAside') return { service, handler, ...(key !== undefined && { key }) }
  const api = [analyticApi, catalogApi].find((each) => Object.hasOwn(each._handlers, handler))
  return api === undefined ? { service: CARRIERS[0]!, handler, key: 'impressions' } : { service: api.name, handler }
}

async function bringBack({ adminUrl, ingress, db, folder }: RepairDeps, call: KeptCall): Promise<Repaired> {
  const { id, service, handler, key, idempotencyKey, headers, completedAt } = call
  const of = { id, handler: `${service}.${handler}`, completedAt }
  const isRecorded = async () => (await recordedAmong(db, [id])).size > 0
  if (!(await isRecorded())) {
    for (const part of call.purged) await purgeInvocation(adminUrl, part)
    const api = SERVICE_APIS.find(({ name }) => name === service)!
    try {
      const options = { idempotencyKey, headers, ...(key !== undefined && { key }) }
      await ingress.callWithJson(
        api as typeof analyticApi,
        handler as 'CreateInteraction',
        Buffer.from(call.body, 'base64'),
        options,
      )
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined && !isRefusedCall(error)) throw error
      const { message } = refusal ?? (error as Error)
      return { ...of, outcome: 'refused', message, file: await putAside(folder, id) }
    }
    // A merge that is sent again is another call in its lane.
    if (service === shopperApi.name && handler === 'Merge') await traceCall(db, callOf(id, Buffer.from(call.body, 'base64')))
    if (!(await isRecorded())) throw new Error(`PostgreSQL does not have ${id} after it was sent again`)
  }
  await forgetKept(folder, id)
  return { ...of, outcome: 'brought back' }
}

/** Restate forgets a call of which it kept no journal. */
async function forget({ adminUrl }: RepairDeps, { id, parts }: LostCall): Promise<Repaired> {
  for (const part of parts) await purgeInvocation(adminUrl, part.id)
  const [first] = parts
  return { id, handler: `${first!.service}.${first!.handler}`, completedAt: first!.completedAt, outcome: 'forgotten' }
}
