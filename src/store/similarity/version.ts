import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type { PromoteSimilarityVersion, SimilarityVersion } from '../../contract/similarity-run.ts'
import type { VersionSettings } from '../../ranking/similarity/version-settings.ts'
import { audit } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'

interface StoredVersion {
  version: string
  isInForce: boolean
  runId: string
  readAt: Date
  madeAt: Date
  products: number
  shoppers: string
  events: string
  pairs: string
  bots: number
  contentWeight: number
  eventTypes: string[]
  /** A version of a release that had no versions of settings lacks some. */
  settings: Partial<VersionSettings>
}

/** The versions that can be in force, i.e. the last two, the one in force first. */
export async function similarityVersions(db: Queryable): Promise<SimilarityVersion[]> {
  const { rows } = await sql<StoredVersion>`
    select v.version, v.version = c.version as "isInForce", v.run_id as "runId", v.read_at as "readAt", v.made_at as "madeAt", v.products,
      v.shoppers, v.events, v.pairs, v.bots, v.content_weight as "contentWeight", v.event_types as "eventTypes", v.settings
    from similarity_current c join similarity_version v on v.version in (c.version, c.previous)
    order by 2 desc`.execute(db)
  return rows.map((row) => ({
    version: Number(row.version),
    is_in_force: row.isInForce,
    run_id: row.runId,
    read_at: row.readAt.toISOString(),
    made_at: row.madeAt.toISOString(),
    products: row.products,
    shoppers: Number(row.shoppers),
    events: Number(row.events),
    pairs: Number(row.pairs),
    bots: row.bots,
    content_weight: row.contentWeight,
    event_types: row.eventTypes,
    settings_version: row.settings.settingsVersion ?? 0,
    settings: row.settings,
  }))
}

/** Puts a version in force, in the transaction that completes its run. @throws when the version is not complete. */
export async function putInForce(tx: Queryable, version: number): Promise<void> {
  const { rows } = await sql`
    update similarity_version set state = 'ready', made_at = now()
    where version = ${version} and state = 'building' and content_weight is not null returning version`.execute(tx)
  if (rows.length === 0) throw new Error(`version ${version} is not complete`)
  await sql`update similarity_current set previous = version, version = ${version}, changed_at = now()`.execute(tx)
}

/**
 * Puts one of the last two versions in force. One that is in force already stays so, so that a repeated call changes nothing.
 * @throws DecidedError (not_found) for any other version.
 */
export async function promoteVersion(db: Database, request: PromoteSimilarityVersion): Promise<SimilarityVersion> {
  const { version, actor, requested_by: requestedBy } = request
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ before: string }>`
      update similarity_current set version = previous, previous = version, changed_at = now()
      where previous = ${version} returning previous as before`.execute(tx)
    const [changed] = rows
    if (changed !== undefined) {
      const metadata = { before: Number(changed.before), ...(requestedBy !== undefined && { requested_by: requestedBy }) }
      await audit(tx, {
        actor,
        action: 'similarity.promote',
        resourceType: 'similarity_version',
        resourceId: String(version),
        metadata,
      })
    }
    const [inForce] = await similarityVersions(tx)
    if (inForce?.version === version) return inForce
    throw new DecidedError('not_found', `version ${version} is none of the last two`)
  })
}

/** The rows of a transaction: about 10 MB. */
const DROP_ROWS = 4_000

/** Deletes old versions for so long. @returns whether there may be more. */
export async function dropOldVersionsFor(db: Database, milliseconds: number): Promise<boolean> {
  for (const endMs = performance.now() + milliseconds; performance.now() < endMs;) {
    if (!(await dropOldVersions(db))) return false
  }
  return true
}

/**
 * Deletes some rows of versions that nothing can use any more: all but the one in force, the one before it, and those that open runs make.
 * @returns whether there may be more.
 */
export async function dropOldVersions(db: Database): Promise<boolean> {
  // Waits for a chunk of rows that is being added, and makes the next one fail.
  const { rows } = await sql<{ version: string }>`
    update similarity_version v set state = 'dropping'
    from similarity_current c
    where v.version is distinct from c.version and v.version is distinct from c.previous
      and not (v.state = 'building' and exists (select from similarity_run r where r.run_id = v.run_id and r.status = 'running'))
    returning v.version`.execute(db)
  const [old] = rows
  if (old === undefined) return false
  const deleted = await Promise.all(
    ['similarity_row', 'similarity_product'].map((table) =>
      sql`with old as materialized (
          select product_no from ${sql.table(table)} where version = ${old.version} order by product_no limit ${DROP_ROWS}
        )
        delete from ${sql.table(table)} r using old where r.version = ${old.version} and r.product_no = old.product_no`.execute(
        db,
      ),
    ),
  )
  if (deleted.every(({ numAffectedRows = 0n }) => numAffectedRows === 0n)) {
    await sql`delete from similarity_version where version = ${old.version} and state = 'dropping'`.execute(db)
  }
  return true
}
