import { createHmac, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { PseudonymOf } from '../../admission/erased-item.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** What is known of some shoppers. */
export interface Checked {
  /** The newest tombstone that was known; 0 before the first. */
  tombstoneNo: string
  /** Until when each shopper is erased, by its id; shoppers that are not erased are left out. */
  erasedUntilMs: ReadonlyMap<string, number>
}

/** Tells which shoppers were erased. */
export interface Tombstones {
  /**
   * Which of these shoppers were erased. Costs nothing while no person was erased, and a look-up otherwise. `isAgain` looks in any case.
   * @throws when persons were erased and this process has no key.
   */
  check: (db: Queryable, shopperIds: Iterable<string>, isAgain?: boolean) => Promise<Checked>
  /** The keyed hash of a shopper's id. @throws without a key. */
  hmacOf: (shopperId: string) => Buffer
  hasKey: boolean
  /** Names the key without telling it. */
  keyId: () => Buffer
}

/** Recording processes and erasures must have the same key, for ever. */
export function createTombstones(key: Buffer | undefined): Tombstones {
  const hmacOf = (text: string) => {
    if (key === undefined) throw new Error('persons were erased: recording needs the key of ERASURE_KEY_FILE')
    return createHmac('sha256', key).update(text).digest()
  }
  let known: string | undefined
  const check = async (db: Queryable, shopperIds: Iterable<string>, isAgain = false): Promise<Checked> => {
    if (known === undefined || isAgain) known = (await lookUp(db, [])).tombstoneNo
    if (known === NONE) return { tombstoneNo: NONE, erasedUntilMs: new Map() }
    const idOf = new Map([...new Set(shopperIds)].map((id) => [hmacOf(id).toString('hex'), id]))
    const { tombstoneNo, found } = await lookUp(db, [...idOf.keys()])
    return { tombstoneNo, erasedUntilMs: new Map(found.map(({ hmac, untilMs }) => [idOf.get(hmac)!, untilMs])) }
  }
  return { check, hmacOf, hasKey: key !== undefined, keyId: () => hmacOf('footfall tombstones').subarray(0, 8) }
}

/** Before the first erasure. */
export const NONE = '0'

/** For processes and tests that erase nobody. */
export const WITHOUT_KEY = createTombstones(undefined)

interface Found {
  hmac: string
  untilMs: number
}

async function lookUp(db: Queryable, hmacs: readonly string[]): Promise<{ tombstoneNo: string; found: readonly Found[] }> {
  const answer = await sql<{ tombstoneNo: string; found: Found[] | null }>`
    select (select coalesce(max(tombstone_no), 0) from shopper_tombstone) as "tombstoneNo", (
      select json_agg(json_build_object('hmac', encode(id_hmac, 'hex'), 'untilMs', floor(extract(epoch from erased_at) * 1000)))
      from shopper_tombstone where id_hmac = any(array(select decode(hmac, 'hex') from unnest(${hmacs}::text[]) as h(hmac)))
    ) as found`.execute(db)
  const { tombstoneNo, found } = onlyRow(answer)
  return { tombstoneNo, found: found ?? [] }
}

/** Whether there are tombstones that were made with another key than this one. */
export async function haveTombstonesOtherKey(db: Queryable, keyId: Buffer | undefined): Promise<boolean> {
  const result = await sql<{ exist: boolean }>`
    select exists (select from shopper_tombstone where ${keyId ?? null}::bytea is null or key_id <> ${keyId ?? null}::bytea) as exist`.execute(
    db,
  )
  return onlyRow(result).exist
}

/**
 * Whether a statement sees a tombstone that a caller of `check` did not know. A statement that writes to the log locks its table before it
 * reads this. An erasure waits for such statements after it has written its tombstones, so it finds what they recorded.
 */
export function isNewerThan(tombstoneNo: string) {
  return sql`(select coalesce(max(tombstone_no), 0) from shopper_tombstone) > ${tombstoneNo}::bigint`
}

/** Another shopper id, which nothing maps back. */
export function newPseudonym(): string {
  return `erased-${randomBytes(16).toString('hex')}`
}

export function isPseudonym(id: string): boolean {
  return /^erased-[0-9a-f]{32}$/.test(id)
}

/** Gives each erased shopper of a call a fresh pseudonym, for its events up to the erasure. */
export function pseudonymsFor({ erasedUntilMs }: Checked): PseudonymOf {
  const pseudonyms = new Map<string, string>()
  return (kind, id, occurredAtMs) => {
    const shopperId = `${kind}:${id}`
    const untilMs = erasedUntilMs.get(shopperId)
    if (untilMs === undefined || occurredAtMs > untilMs) return undefined
    const pseudonym = pseudonyms.get(shopperId) ?? newPseudonym()
    pseudonyms.set(shopperId, pseudonym)
    return pseudonym
  }
}

/** The shoppers that rows or items name. */
export function* shopperIdsIn(rows: Iterable<{ accountId?: unknown; sessionId?: unknown }>): Generator<string> {
  for (const { accountId, sessionId } of rows) {
    if (typeof accountId === 'string') yield `account:${accountId}`
    if (typeof sessionId === 'string') yield `session:${sessionId}`
  }
}
