import { Command } from 'commander'
import type { SimilarityProof, VerifyResponse } from '../../contract/verify.ts'
import type { Database } from '../../store/database/connection.ts'
import { repairTrending } from '../../store/popularity/trending-window.ts'
import { type ProofProgress, verify } from '../../store/proof/verification.ts'
import { readConfig } from '../../main/config/config.ts'
import { type ShorterMonth, shorterMonths } from '../../store/backup/log-facts.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { type Manifest, readManifestFile } from '../backup/manifest.ts'
import { countText, numberedText } from '../terminal/count.ts'
import { print, printError, printJson } from '../terminal/output.ts'
import { runProgressOn } from '../terminal/run-progress.ts'

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Replay the log against every aggregate. Exit 0 when every number is right, 1 otherwise.')
    .option('--against <file>', 'manifest.json of a backup: exit 1 too when the log has fewer events than it had then')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean; against?: string }) => {
      const manifest = options.against === undefined ? undefined : await readManifestFile(options.against)
      await withDatabase(readConfig(process.env), { name: 'footfall verify', statementMsMax: 0 }, async (db) => {
        await repairTrending(db)
        const answer = await verifyWithProgress(db)
        const shorter = manifest && (await shorterMonths(db, manifest.log))
        process.exitCode = answer.drift_count === 0 && (shorter ?? []).length === 0 ? 0 : 1
        if (options.json) return printJson({ ...answer, ...(shorter && { shorter }) })
        printAnswer(answer)
        if (manifest !== undefined) printShorter(shorter!, manifest)
      })
    })
}

function printShorter(shorter: readonly ShorterMonth[], { began_at: at }: Manifest): void {
  for (const { table, month, rows, had } of shorter)
    print(`${table} of ${month}: ${numberedText(rows, 'row')}, and there were ${countText(had)} at ${at}.`)
  if (shorter.length === 0) print(`No month of the log has fewer rows than at ${at}.`)
}

const DRAW_EVERY_MS = 500

/** A part of the proof may take long, so its progress is drawn also while it does not change. */
async function verifyWithProgress(db: Database): Promise<VerifyResponse> {
  const view = {
    shareOf: ({ done, total }: ProofProgress) => done / total,
    describe: ({ done, total, step }: ProofProgress) => `${step}: part ${Math.min(done + 1, total)} of ${total}`,
  }
  const progress = runProgressOn(process.stderr, view, () => printError('Not verified.'))
  let latest: ProofProgress | undefined
  const timer = setInterval(() => latest && progress.report(latest), DRAW_EVERY_MS)
  try {
    return await verify(db, { onProgress: (next) => void (latest = next) })
  } finally {
    clearInterval(timer)
    progress.stop()
  }
}

function printAnswer({ drift, drift_count: count, similarity, ...log }: VerifyResponse): void {
  for (const { aggregate, key, column, stored, expected } of drift) {
    print(`${aggregate} ${JSON.stringify(key)} ${column}: stored ${stored ?? 'no row'}, expected ${expected ?? 'no row'}`)
  }
  if (count > drift.length) print(`${countText(count - drift.length)} more are not listed.`)
  if (similarity !== undefined) print(similaritySentence(similarity))
  const analytics = log.analytics_events === 0 ? '' : ` and ${numberedText(log.analytics_events, 'analytics event')}`
  print(`${numberedText(log.events, 'event')}${analytics} in the log, ${differing(count)}.`)
}

function similaritySentence({ version, rows, products, skipped }: SimilarityProof): string {
  if (skipped !== undefined) return `Similar products: version ${version} was not computed again, because ${skipped}.`
  return `Similar products: ${countText(rows)} of the ${numberedText(products, 'row')} of version ${version} were computed again.`
}

function differing(cells: number): string {
  if (cells === 0) return 'no cells differ'
  return cells === 1 ? '1 cell differs' : `${countText(cells)} cells differ`
}
