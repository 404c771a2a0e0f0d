import { Command } from 'commander'
import { currentRules, rescore } from '../../store/popularity/popularity-rules.ts'
import { actor } from '../terminal/actor.ts'
import { readConfig } from '../../main/config/config.ts'
import { popularityRulesOf } from '../../main/config/popularity.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print } from '../terminal/output.ts'

export function rescoreCommand(): Command {
  return new Command('rescore')
    .description(
      'Switch to other weights, another half-life or another window, and recompute every score from the hourly counts.',
    )
    .option('--weights <name or file>', 'balanced, storefront, or a JSON file of event type → weight (POPULARITY_WEIGHTS)')
    .option(
      '--half-life-hours <hours>',
      'half-life of trending (POPULARITY_HALF_LIFE_HOURS); rebuilds the hourly counts from the log',
    )
    .option('--window-days <days>', 'how far trending looks back (POPULARITY_WINDOW_DAYS)')
    .action(async (options: { weights?: string; halfLifeHours?: string; windowDays?: string }) => {
      const config = readConfig({
        ...process.env,
        ...(options.weights !== undefined && { POPULARITY_WEIGHTS: options.weights }),
        ...(options.halfLifeHours !== undefined && { POPULARITY_HALF_LIFE_HOURS: options.halfLifeHours }),
        ...(options.windowDays !== undefined && { POPULARITY_WINDOW_DAYS: options.windowDays }),
      })
      await withDatabase(config, { name: 'footfall rescore', statementMsMax: 0 }, async (db) => {
        const rules = await popularityRulesOf(config, await currentRules(db))
        const { products, weightsVersion } = await rescore(db, rules, actor())
        print(
          `${products} products rescored: weights ${rules.weightsName} (version ${weightsVersion}), half-life ${rules.halfLifeHours} h, window ${rules.windowHours / 24} days.`,
        )
      })
    })
}
