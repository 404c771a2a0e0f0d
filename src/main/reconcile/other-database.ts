import { createHash } from 'node:crypto'
import { reconcileKeyOf } from '../../contract/recorded-call.ts'
import { BODY_BYTES_MAX } from '../../contract/interaction.ts'
import { CALL_HEADER } from '../../contract/recorder.ts'
import { analyticApi, catalogApi, erasureApi, shopperApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import type { Database, Queryable } from '../../store/database/connection.ts'
import { callIdOf } from '../../store/log/call.ts'
import { jumpBatchIds, recordedAmong } from '../../store/log/recorded-call.ts'
import { itemsOfCalls, newestCallMs, type OtherCall, otherCalls, type OtherItems } from '../../store/reconcile/other-calls.ts'
import { eachAtOnce } from './at-once.ts'
import {
  differentKeys,
  lostErasures,
  lostMerges,
  type OtherErasure,
  type OtherKey,
  type OtherMerge,
} from '../../store/reconcile/other-changes.ts'

interface FromDeps {
  ingress: Pick<Ingress, 'call' | 'callWithJson'>
  db: Queryable
  other: Database
}

/** What another database has that this one lacks. */
export interface FoundThere {
  /** From here on its calls were compared. */
  sinceMs: number
  calls: OtherCall[]
  merges: OtherMerge[]
  erasures: OtherErasure[]
  keys: OtherKey[]
}

/** Compares what another database recorded in the last time of its life with this one. */
export async function findThere({ db, other }: Pick<FromDeps, 'db' | 'other'>, spanMs: number): Promise<FoundThere> {
  const sinceMs = (await newestCallMs(other)) - spanMs
  const calls = new Map<string, OtherCall>()
  for await (const page of otherCalls(other, sinceMs)) {
    const recorded = await recordedAmong(
      db,
      page.map(({ invocationId }) => invocationId),
    )
    for (const call of page) {
      const known = calls.get(callIdOf(call))
      if (!recorded.has(call.invocationId)) calls.set(callIdOf(call), { ...call, batch: call.batch ?? known?.batch })
    }
  }
  return {
    sinceMs,
    calls: [...calls.values()],
    merges: await lostMerges(other, db, sinceMs),
    erasures: await lostErasures(other, db, sinceMs),
    keys: await differentKeys(other, db),
  }
}

/** What was sent again from another database. */
export interface BroughtOver {
  calls: number
  items: number
  /** Calls of which the other database has a trace and no rows, e.g. commands and calls whose items were all rejected. */
  withoutRows: OtherCall[]
  merges: number
  erasures: number
  /** What a handler refused now, in words. */
  refused: string[]
}

const CALLS_AT_ONCE = 200
const SENT_AT_ONCE = 8

/**
 * Sends what another database has and this one lacks through Restate, with its ids and times. Each call is recorded as the call that it was, so that
 * its key is answered as before. Nothing is recorded twice, whatever else brings it back.
 */
export async function bringOver(deps: FromDeps, { calls, merges, erasures }: FoundThere): Promise<BroughtOver> {
  const done: BroughtOver = { calls: 0, items: 0, withoutRows: [], merges: 0, erasures: 0, refused: [] }
  if (calls.length > 0) await jumpBatchIds(deps.db)
  for (let at = 0; at < calls.length; at += CALLS_AT_ONCE) {
    const some = calls.slice(at, at + CALLS_AT_ONCE)
    const found = await itemsOfCalls(deps.other, some)
    done.withoutRows.push(...some.filter((call) => !found.has(callIdOf(call))))
    const sent = await eachAtOnce(
      some.filter((call) => found.has(callIdOf(call))),
      SENT_AT_ONCE,
      (call) => sendItems(deps, call, found.get(callIdOf(call))!),
    )
    done.calls += sent.length
    done.items += sent.reduce((sum, items) => sum + items, 0)
  }
  const attempt = async (what: string, sending: Promise<unknown>): Promise<number> => {
    try {
      await sending
      return 1
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      done.refused.push(`${what}: ${refusal.message}`)
      return 0
    }
  }
  for (const { sessionId, accountId } of merges) {
    const merge = { session_id: sessionId, account_id: accountId }
    done.merges += await attempt(`merge of session ${sessionId}`, deps.ingress.call(shopperApi, 'Merge', merge))
  }
  for (const { id, shopperId, actor, requestedBy } of erasures) {
    if (shopperId === null) continue
    const request = { shopper_id: shopperId, actor, ...(requestedBy !== null && { requested_by: requestedBy }) }
    done.erasures += await attempt(`erasure ${id}`, deps.ingress.call(erasureApi, 'Start', request, { key: id }))
  }
  return done
}

/** @returns how many items were sent. */
async function sendItems({ ingress, db }: FromDeps, call: OtherCall, lists: readonly OtherItems[]): Promise<number> {
  let sent = 0
  for (const { handler, list, items } of lists) {
    for (const [part, some] of partsOf(items).entries()) {
      const body = Buffer.from(`{"${list}":[${some.join(',')}]}`)
      const api = (handler === 'UpsertProducts' ? catalogApi : analyticApi) as typeof analyticApi
      // The first part is recorded as the call; a further one would be taken for a repeated attempt. Its events have ids.
      const headers = part === 0 ? { [CALL_HEADER]: `${call.invocationId} ${call.bodySha256.toString('hex')}` } : {}
      // Another content of the same part is another call.
      const idempotencyKey = `${reconcileKeyOf(call.invocationId)} ${createHash('sha256').update(handler).update(body).digest('base64url')}`
      await ingress.callWithJson(api, handler as 'CreateInteraction', body, { idempotencyKey, headers })
      sent += some.length
    }
  }
  if (!(await recordedAmong(db, [call.invocationId])).has(call.invocationId)) {
    throw new Error(`PostgreSQL does not have ${call.invocationId} after it was sent again`)
  }
  return sent
}

/** Items with their ids may be more than a body takes. */
function partsOf(items: readonly string[]): string[][] {
  const parts: string[][] = [[]]
  let bytes = 0
  for (const item of items) {
    const size = Buffer.byteLength(item) + 1
    if (bytes + size > BODY_BYTES_MAX - 100) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(item)
    bytes += size
  }
  return parts
}
