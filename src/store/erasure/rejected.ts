import { sql } from 'kysely'
import { erasedItem } from '../../admission/erased-item.ts'
import { hasWord, isAboutPerson, isKeptAboutPerson, jsonOf, type Person, personOf } from '../../admission/person-in-item.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { addErased, advance, type ErasureAt } from './run-machine.ts'

/** Items that are read at once, and the size after which a page ends: they may have 2 MiB each. A page is looked through in about 50 ms. */
const PAGE_ROWS = 1_000
const PAGE_BYTES = 4 * 1024 * 1024

interface RejectedItem {
  batchId: string
  index: number
  kind: string | null
  code: string
  item: string
  message: string
}

/** A shopper of the run, by the two parts of its id. */
interface Erased {
  kind: 'account' | 'session'
  id: string
  pseudonym: string
}

/**
 * Erases, in the next page of rejected items, those that have an id of the person as a value, anywhere in them. An event keeps what a replay needs.
 * Nothing is left of a webhook or of a record, because everything in it may be about the person, and of a text that is no JSON.
 */
export async function eraseRejected(db: Database, at: ErasureAt): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const erased = await shoppersOf(tx, at.runId)
    const person = personOf(erased.map(({ kind, id }) => `${kind}:${id}`))
    const { items, last } = await pageAfter(tx, at.place)
    let changed = 0
    for (const row of items) changed += await eraseItem(tx, row, erased, person)
    await addErased(tx, at.runId, 'rejected_interaction', changed)
    await advance(tx, at, last)
  })
}

async function shoppersOf(tx: Queryable, runId: string): Promise<Erased[]> {
  const { rows } = await sql<{ shopperId: string; pseudonym: string }>`
    select shopper_id as "shopperId", pseudonym from erasure_shopper where run_id = ${runId}::uuid`.execute(tx)
  return rows.map(({ shopperId, pseudonym }) => {
    const at = shopperId.indexOf(':')
    return { kind: shopperId.slice(0, at) as Erased['kind'], id: shopperId.slice(at + 1), pseudonym }
  })
}

/**
 * The next items, of any person: PostgreSQL would compare each text with each id of a person. `last` is where the next page begins; null after the
 * last one.
 */
export async function pageAfter(tx: Queryable, place: string | null): Promise<{ items: RejectedItem[]; last: string | null }> {
  const [batchId = '0', index = '-1'] = place?.split(' ') ?? []
  const { rows } = await sql<RejectedItem & { isLast: boolean }>`
    select "batchId", index, kind, code, item, message, "isLast" from (
      select *, sum(octet_length(item)) over (order by "batchId", index) - octet_length(item) as "bytesBefore",
        lead(index) over (order by "batchId", index) is null and count(*) over () < ${PAGE_ROWS} as "isLast"
      from (
        select r.batch_id as "batchId", r.index, r.kind, r.code, r.item, r.message from rejected_interaction r
        where (r.batch_id, r.index) > (${batchId}::bigint, ${index}::int) order by r.batch_id, r.index limit ${PAGE_ROWS}) r
    ) r where "bytesBefore" < ${PAGE_BYTES} order by "batchId", index`.execute(tx)
  const end = rows.at(-1)
  return { items: rows, last: end === undefined || end.isLast ? null : `${end.batchId} ${end.index}` }
}

/** @returns 1 when the item was about the person. */
async function eraseItem(tx: Queryable, row: RejectedItem, erased: readonly Erased[], person: Person): Promise<number> {
  const isInMessage = hasWord(row.message, person)
  const isInItem = isKeptAboutPerson(row.item, person)
  if (!isInItem && !isInMessage) return 0
  const kept = isInItem ? keptOf(row, erased, person) : row.item
  await sql`
    update rejected_interaction set message = ${isInMessage ? 'was about a person who was erased' : row.message}, item = ${kept},
      cut_from_bytes = ${kept === '' ? sql`octet_length(item)` : sql`cut_from_bytes`}
    where batch_id = ${row.batchId}::bigint and index = ${row.index}`.execute(tx)
  return 1
}

/** The text of an item about the person after the erasure; empty when nothing is left of it. */
function keptOf({ item, kind }: RejectedItem, erased: readonly Erased[], person: Person): string {
  const fields = jsonOf(item)
  if (kind === 'webhook' || kind === 'record' || typeof fields !== 'object' || fields === null || Array.isArray(fields)) return ''
  const { account_id: accountId, session_id: _, ...others } = fields as Record<string, unknown>
  const pseudonymOf = (name: string, kinds: readonly Erased['kind'][]) => {
    const id = String((fields as Record<string, unknown>)[name])
    return erased.find((one) => one.id === id && kinds.includes(one.kind))?.pseudonym ?? null
  }
  const account = pseudonymOf('account_id', ['account'])
  const session = pseudonymOf('session_id', ['session'])
  // As an interaction of another account, it loses its session only.
  const isOfOther = account === null && session !== null && (typeof accountId === 'string' || typeof accountId === 'number')
  if (isOfOther && !isAboutPerson(others, person)) return JSON.stringify({ ...fields, session_id: session })
  return JSON.stringify(
    erasedItem(fields, {
      account_id: isOfOther ? String(accountId) : account,
      session_id: session,
      entity_id: pseudonymOf('entity_id', ['account', 'session']),
    }),
  )
}
