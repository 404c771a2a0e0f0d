import { join } from 'node:path'
import { migrate, NewerSchemaError, serverOf } from '../../store/database/migration.ts'
import { comingMonths, makePartitions } from '../../store/log/month.ts'
import { currentRules, hasScores, rescore, type Rules, sameWeights } from '../../store/popularity/popularity-rules.ts'
import type { Config } from '../config/config.ts'
import { CHECKOUT } from '../config/checkout.ts'
import type { Database } from '../../store/database/connection.ts'
import { popularityRulesOf } from '../config/popularity.ts'
import { StartError } from '../config/start-error.ts'

const MONTHS_AHEAD = 2
const POSTGRESQL_MAJOR_MIN = 18

/** Creates or updates tables, rules and partitions. Safe to repeat and to run concurrently. @returns the applied migrations. */
export async function prepareDatabase(db: Database, config: Config): Promise<string[]> {
  await checkServer(db)
  const applied = await migrate(db, join(CHECKOUT, 'sql')).catch((cause: unknown) => {
    throw cause instanceof NewerSchemaError ? new StartError(cause.message, { cause }) : cause
  })
  await settleRules(db, config)
  await makePartitions(db, await comingMonths(db, MONTHS_AHEAD))
  return applied
}

async function checkServer(db: Database): Promise<void> {
  const { version, encoding } = await serverOf(db)
  if (version < POSTGRESQL_MAJOR_MIN) {
    throw new StartError(`Footfall needs PostgreSQL ${POSTGRESQL_MAJOR_MIN} and this is ${version}: change DATABASE_URL.`)
  }
  if (encoding !== 'UTF8')
    throw new StartError(`The database is in ${encoding}: make one with encoding UTF8 and change DATABASE_URL.`)
}

/** Stores the configured rules while nothing is counted. Afterwards they must equal the stored ones. */
async function settleRules(db: Database, config: Config): Promise<void> {
  const stored = await currentRules(db)
  const wanted = await popularityRulesOf(config, stored)
  const changed = stored === undefined ? ['weights'] : differences(stored, wanted)
  if (changed.length === 0) return
  if (stored !== undefined && (await hasScores(db))) {
    throw new StartError(`${changed.join(' and ')}: run ./footfall rescore with the same setting, or unset it.`)
  }
  await rescore(db, wanted)
}

function differences(stored: Rules, wanted: Rules): string[] {
  const found: string[] = []
  if (!sameWeights(stored.weights, wanted.weights)) {
    found.push(`POPULARITY_WEIGHTS (${wanted.weightsName}) differs from the weights of the stored scores (${stored.weightsName})`)
  }
  if (stored.halfLifeHours !== wanted.halfLifeHours) {
    found.push(`POPULARITY_HALF_LIFE_HOURS (${wanted.halfLifeHours}) differs from the stored ${stored.halfLifeHours}`)
  }
  if (stored.windowHours !== wanted.windowHours) {
    found.push(`POPULARITY_WINDOW_DAYS (${wanted.windowHours / 24}) differs from the stored ${stored.windowHours / 24}`)
  }
  return found
}
