import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PRESETS, WeightFile, type Weights } from '../../ranking/weights.ts'
import { migrate, NewerSchemaError, serverOf } from '../../store/database/migration.ts'
import { comingMonths, makePartitions } from '../../store/log/month.ts'
import { currentRules, hasScores, rescore, type Rules, sameWeights } from '../../store/popularity/popularity-rules.ts'
import { CHECKOUT, type Config } from '../config/config.ts'
import type { Database } from '../../store/database/connection.ts'
import { StartError } from '../config/start-error.ts'

const DEFAULT_WEIGHTS = 'balanced'
const DEFAULT_HALF_LIFE_HOURS = 72
const DEFAULT_WINDOW_DAYS = 7
const MONTHS_AHEAD = 2
const POSTGRESQL_MAJOR_MIN = 18

/** Brings a database to where the program needs it: tables, rules, partitions. Safe to repeat and to run twice at once. */
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

/** Puts the configured rules in force where nothing was counted yet; elsewhere they must be the ones that are stored. */
async function settleRules(db: Database, config: Config): Promise<void> {
  const stored = await currentRules(db)
  const wanted = await configuredRules(config, stored)
  const changed = stored === undefined ? ['weights'] : differences(stored, wanted)
  if (changed.length === 0) return
  if (stored !== undefined && (await hasScores(db))) {
    throw new StartError(`${changed.join(' and ')}: run ./footfall rescore with the same setting, or take the setting back.`)
  }
  await rescore(db, wanted)
}

function differences(stored: Rules, wanted: Rules): string[] {
  const found: string[] = []
  if (!sameWeights(stored.weights, wanted.weights)) {
    found.push(
      `POPULARITY_WEIGHTS (${wanted.weightsName}) differs from the weights that the stored scores were made with (${stored.weightsName})`,
    )
  }
  if (stored.halfLifeHours !== wanted.halfLifeHours) {
    found.push(`POPULARITY_HALF_LIFE_HOURS (${wanted.halfLifeHours}) differs from the stored ${stored.halfLifeHours}`)
  }
  if (stored.windowHours !== wanted.windowHours) {
    found.push(`POPULARITY_WINDOW_DAYS (${wanted.windowHours / 24}) differs from the stored ${stored.windowHours / 24}`)
  }
  return found
}

/** The rules that the configuration asks for; where it says nothing, what is stored stays. */
export async function configuredRules(config: Config, stored: Rules | undefined): Promise<Rules> {
  const weights =
    config.POPULARITY_WEIGHTS === undefined && stored !== undefined
      ? stored
      : await readWeights(config.POPULARITY_WEIGHTS ?? DEFAULT_WEIGHTS)
  const windowDays = config.POPULARITY_WINDOW_DAYS
  return {
    weightsName: weights.weightsName,
    weights: weights.weights,
    halfLifeHours: config.POPULARITY_HALF_LIFE_HOURS ?? stored?.halfLifeHours ?? DEFAULT_HALF_LIFE_HOURS,
    windowHours: windowDays === undefined ? (stored?.windowHours ?? DEFAULT_WINDOW_DAYS * 24) : windowDays * 24,
  }
}

async function readWeights(nameOrFile: string): Promise<{ weightsName: string; weights: Weights }> {
  if (nameOrFile in PRESETS) return { weightsName: nameOrFile, weights: PRESETS[nameOrFile as keyof typeof PRESETS] }
  if (!existsSync(nameOrFile)) {
    throw new StartError(
      `POPULARITY_WEIGHTS or --weights is ${nameOrFile}: set it to ${Object.keys(PRESETS).join(', ')} or a JSON file that exists.`,
    )
  }
  try {
    return { weightsName: nameOrFile, weights: WeightFile.parse(JSON.parse(await readFile(nameOrFile, 'utf8'))) }
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll(/\s+/g, ' ') : (cause as Error).message
    throw new StartError(`The weights (POPULARITY_WEIGHTS or --weights): ${nameOrFile} is no table of weights: ${why}.`, {
      cause,
    })
  }
}
