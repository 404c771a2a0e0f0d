import { Command } from 'commander'
import type { SimilarityProof } from '../../contract/verify.ts'
import { repairTrending } from '../../store/popularity/trending-window.ts'
import { DRIFT_MAX } from '../../store/proof/drift.ts'
import { verify } from '../../store/proof/verification.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printJson } from '../terminal/output.ts'

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Replay the log against every aggregate. Exit 0 when every number is right, 1 otherwise.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      await withDatabase(readConfig(process.env), { name: 'footfall verify', statementMsMax: 0 }, async (db) => {
        await repairTrending(db)
        const answer = await verify(db)
        process.exitCode = answer.drift.length === 0 ? 0 : 1
        if (options.json) {
          printJson(answer)
          return
        }
        for (const { aggregate, key, column, stored, expected } of answer.drift) {
          print(`${aggregate} ${JSON.stringify(key)} ${column}: stored ${stored ?? 'no row'}, expected ${expected ?? 'no row'}`)
        }
        const analytics = answer.analytics_events === 0 ? '' : ` and ${answer.analytics_events} analytics events`
        if (answer.similarity !== undefined) print(similaritySentence(answer.similarity))
        print(`${answer.events} events${analytics} in the log, ${countOf(answer.drift.length)} cells differ.`)
      })
    })
}

function similaritySentence({ version, rows, products, skipped }: SimilarityProof): string {
  if (skipped !== undefined) return `Similar products: version ${version} was not computed again, because ${skipped}.`
  return `Similar products: ${rows} of the ${products} rows of version ${version} were computed again.`
}

function countOf(cells: number): string {
  if (cells === 0) return 'no'
  return cells < DRIFT_MAX ? String(cells) : `at least ${DRIFT_MAX}`
}
