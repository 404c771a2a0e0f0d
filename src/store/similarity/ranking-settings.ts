import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type {
  PromoteSimilaritySettings,
  SimilaritySettings,
  SimilaritySettingsRequest,
  TuningEvidence,
} from '../../contract/similarity-settings.ts'
import { RANKING_DEFAULTS, type RankingSettings, rankingOf } from '../../ranking/similarity/ranking-settings.ts'
import { audit } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

interface StoredSettings {
  settingsVersion: number
  inForce: boolean
  source: SimilaritySettings['source']
  madeAt: Date
  madeBy: string
  promotedAt: Date | null
  promotedBy: string | null
  settings: Partial<RankingSettings>
  evidence: TuningEvidence | null
}

const COLUMNS = sql`settings_version as "settingsVersion", in_force as "inForce", source, made_at as "madeAt", made_by as "madeBy",
  promoted_at as "promotedAt", promoted_by as "promotedBy", settings, evidence`

/** A page of the ranking settings, the newest first; the defaults are the last. */
export async function listRankingSettings(
  db: Queryable,
  { limit, offset }: SimilaritySettingsRequest,
): Promise<{ settings: SimilaritySettings[]; total: number }> {
  const { rows } = await sql<StoredSettings>`
    select ${COLUMNS} from similarity_settings order by settings_version desc limit ${limit} offset ${offset}`.execute(db)
  const counted = await sql<{ total: string }>`select count(*) as total from similarity_settings`.execute(db)
  return { settings: rows.map(settingsOf), total: Number(onlyRow(counted).total) }
}

/** The ranking settings of the next version, with their number: those in force, or else the defaults. */
export async function rankingInForce(db: Queryable): Promise<RankingSettings & { settingsVersion: number }> {
  const { rows } = await sql<StoredSettings>`select ${COLUMNS} from similarity_settings where in_force`.execute(db)
  const [row] = rows
  return { ...RANKING_DEFAULTS, ...(row && settingsOf(row).settings), settingsVersion: row?.settingsVersion ?? 0 }
}

/** Adds ranking settings that are not in force. @returns their number. */
export async function addRankingSettings(
  db: Database,
  { actor, settings, evidence }: { actor: string; settings: RankingSettings; evidence: TuningEvidence },
): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const result = await sql<{ settingsVersion: number }>`
      insert into similarity_settings (source, made_by, settings, evidence)
      values ('tuned', ${actor}, ${JSON.stringify(rankingOf(settings))}::jsonb, ${JSON.stringify(evidence)}::jsonb)
      returning settings_version as "settingsVersion"`.execute(tx)
    const { settingsVersion } = onlyRow(result)
    await audit(tx, {
      actor,
      action: 'similarity_settings.add',
      resourceType: 'similarity_settings',
      resourceId: String(settingsVersion),
      metadata: rankingOf(settings),
    })
    return settingsVersion
  })
}

/**
 * Puts ranking settings in force for the next version. Those that are in force already stay so, so that a repeated call changes nothing.
 * @throws DecidedError (not_found) when there are none of this number.
 */
export async function promoteRankingSettings(db: Database, request: PromoteSimilaritySettings): Promise<SimilaritySettings> {
  const { settings_version: number, actor, requested_by: requestedBy } = request
  return db.transaction().execute(async (tx) => {
    // Calls at the same time take turns.
    await sql`select from similarity_settings order by settings_version for no key update`.execute(tx)
    const { rows } = await sql<StoredSettings>`
      select ${COLUMNS} from similarity_settings where settings_version = ${number}`.execute(tx)
    const [wanted] = rows
    if (wanted === undefined) throw new DecidedError('not_found', `there are no similarity settings ${number}`)
    if (wanted.inForce) return settingsOf(wanted)
    const before = await sql<{ number: number }>`
      update similarity_settings set in_force = false where in_force returning settings_version as number`.execute(tx)
    const promoted = await sql<StoredSettings>`
      update similarity_settings set in_force = true, promoted_at = now(), promoted_by = ${actor}
      where settings_version = ${number} returning ${COLUMNS}`.execute(tx)
    await audit(tx, {
      actor,
      action: 'similarity_settings.promote',
      resourceType: 'similarity_settings',
      resourceId: String(number),
      metadata: { before: before.rows[0]?.number ?? 0, ...(requestedBy !== undefined && { requested_by: requestedBy }) },
    })
    return settingsOf(onlyRow(promoted))
  })
}

function settingsOf({ settings, inForce, madeAt, promotedAt, ...row }: StoredSettings): SimilaritySettings {
  return {
    settings_version: row.settingsVersion,
    is_in_force: inForce,
    source: row.source,
    made_at: madeAt.toISOString(),
    made_by: row.madeBy,
    promoted_at: promotedAt?.toISOString() ?? null,
    promoted_by: row.promotedBy,
    settings: { ...RANKING_DEFAULTS, ...settings },
    evidence: row.evidence,
  }
}
