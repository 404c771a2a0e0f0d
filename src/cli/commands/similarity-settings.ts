import { Command } from 'commander'
import type { SimilaritySettings } from '../../contract/similarity-settings.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { createSimilarityRunsClient } from '../../ingress/similarity-runs-client.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { ingressOf } from '../../main/ingress.ts'
import { listRankingSettings } from '../../store/similarity/ranking-settings.ts'
import { actor } from '../terminal/actor.ts'
import { print, printJson, printTable } from '../terminal/output.ts'
import { wholeNumber } from './whole-number.ts'

const SHOWN_MAX = 100

interface Options {
  json?: boolean
}

export function similaritySettingsCommand(): Command {
  return new Command('settings')
    .description(
      `List the ranking settings, the newest ${SHOWN_MAX} first. The next version of similar products is made with those in force.`,
    )
    .enablePositionalOptions()
    .option('--json', 'as JSON, with what a tuning measured')
    .action(list)
    .addCommand(
      new Command('promote')
        .description('Put ranking settings in force for the next version of similar products. Restate must be running.')
        .argument('<number>', 'the number of the settings; 0 for the defaults', wholeNumber(0, 2 ** 31 - 1))
        .option('--json', 'print the answer as JSON')
        .action(promote),
    )
}

async function list({ json }: Options): Promise<void> {
  const page = { limit: SHOWN_MAX, offset: 0 }
  await withDatabase(readConfig(process.env), { name: 'footfall similarity', readOnly: true }, async (db) => {
    const { settings } = await listRankingSettings(db, page)
    if (json) printJson(settings)
    else printTable(settings.map(lineOf))
  })
}

async function promote(number: number, { json }: Options): Promise<void> {
  const config = readConfig(process.env)
  const client = createSimilarityRunsClient(ingressOf(config))
  const promoted = await client.promoteSettings({ settings_version: number, actor: actor() }).catch((cause: unknown) => {
    const { ingressUrl } = addressesOf(config)
    const message =
      refusalOf(cause)?.message ?? `Restate at ${ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`
    throw new StartError(message, { cause })
  })
  if (json) printJson(promoted)
  else print(`Ranking settings ${number} are in force for the next version: ./footfall similarity makes one now.`)
}

function lineOf({ settings_version: number, is_in_force, source, made_at, made_by, settings, evidence }: SimilaritySettings) {
  const { alpha, beta, gamma, rho, kappa, contentFactor, decay } = settings
  return {
    settings: number,
    'in force': is_in_force ? 'yes' : '',
    ...{ from: source, made: made_at, by: made_by },
    ...{ alpha, beta, gamma, rho, kappa, content: contentFactor, decay },
    'NDCG before → after': evidence === null ? '' : `${evidence.before.ndcg.toFixed(4)} → ${evidence.after.ndcg.toFixed(4)}`,
  }
}
