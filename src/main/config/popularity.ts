import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { PRESETS, WeightFile } from '../../ranking/weights.ts'
import type { Rules } from '../../store/popularity/popularity-rules.ts'
import { settingsIn, type SettingsOf, text, wholeNumber } from './setting.ts'
import { StartError } from './start-error.ts'

const DEFAULT_WEIGHTS = 'balanced'
const DEFAULT_HALF_LIFE_HOURS = 72
const DEFAULT_WINDOW_DAYS = 7

/** They have no defaults, because an absent setting keeps the rules that are stored. */
export const popularitySettings = settingsIn('Popularity', {
  POPULARITY_WEIGHTS: text
    .optional()
    .describe('balanced, storefront, or a JSON file of event type → weight; balanced when absent and nothing is stored.'),
  POPULARITY_HALF_LIFE_HOURS: z.coerce
    .number()
    .min(1)
    .max(8_760)
    .optional()
    .describe('Half-life of trending; 72 when absent and nothing is stored.')
    .meta({ unit: 'h' }),
  POPULARITY_WINDOW_DAYS: wholeNumber(1, 365)
    .optional()
    .describe('Days that trending looks back; 7 when absent and nothing is stored.')
    .meta({ unit: 'days' }),
})

/** The rules by which popularity is counted. Absent settings keep the stored rules. @throws StartError for a bad file of weights. */
export async function popularityRulesOf(
  config: SettingsOf<typeof popularitySettings>,
  stored: Rules | undefined,
): Promise<Rules> {
  const keepsWeights = config.POPULARITY_WEIGHTS === undefined && stored !== undefined
  const { weightsName, weights } = keepsWeights ? stored : await readWeights(config.POPULARITY_WEIGHTS ?? DEFAULT_WEIGHTS)
  const windowDays = config.POPULARITY_WINDOW_DAYS
  return {
    weightsName,
    weights,
    halfLifeHours: config.POPULARITY_HALF_LIFE_HOURS ?? stored?.halfLifeHours ?? DEFAULT_HALF_LIFE_HOURS,
    windowHours: windowDays === undefined ? (stored?.windowHours ?? DEFAULT_WINDOW_DAYS * 24) : windowDays * 24,
  }
}

async function readWeights(nameOrFile: string): Promise<Pick<Rules, 'weightsName' | 'weights'>> {
  if (nameOrFile in PRESETS) return { weightsName: nameOrFile, weights: PRESETS[nameOrFile as keyof typeof PRESETS] }
  if (!existsSync(nameOrFile)) {
    throw new StartError(
      `POPULARITY_WEIGHTS or --weights is ${nameOrFile}: set it to ${Object.keys(PRESETS).join(', ')} or a JSON file that exists.`,
    )
  }
  try {
    return {
      weightsName: nameOrFile,
      weights: WeightFile.parse(JSON.parse(await readFile(nameOrFile, 'utf8')), { error: plainMessage }),
    }
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll(/\s+/g, ' ') : (cause as Error).message
    throw new StartError(`The weights (POPULARITY_WEIGHTS or --weights): ${nameOrFile} is no table of weights: ${why}.`, {
      cause,
    })
  }
}
