import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { SimilarityRun, SimilarityVersion } from '../../contract/similarity-run.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { createSimilarityRunsClient, type SimilarityRuns } from '../../ingress/similarity-runs-client.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { type Config, readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { ingressOf } from '../../main/ingress.ts'
import { similarityVersions } from '../../store/similarity/version.ts'
import { actor } from '../terminal/actor.ts'
import { print, printError, printJson } from '../terminal/output.ts'
import { runProgressOn, type RunView } from '../terminal/run-progress.ts'
import { similaritySettingsCommand } from './similarity-settings.ts'

const POLL_MS = 300

interface Options {
  wait?: boolean
  versions?: boolean
  rollback?: boolean
  cancel?: string
  json?: boolean
}

export function similarityCommand(): Command {
  return new Command('similarity')
    .description(
      'Compute from the log which products are similar, put the result in force and wait for the end. Exit 1 when the run failed or was cancelled. Restate must be running.',
    )
    .enablePositionalOptions()
    .addCommand(similaritySettingsCommand())
    .option('--wait', 'wait for the end (the default)')
    .option('--no-wait', 'start the run and return')
    .option('--versions', 'list the last two versions instead; the first one is in force')
    .option('--rollback', 'put the version before in force instead; once more puts the newer one in force again')
    .option('--cancel <run>', 'cancel a run instead; the version in force stays')
    .option('--json', 'print the answer as JSON')
    .action(async ({ wait = true, ...options }: Options) => {
      const config = readConfig(process.env)
      if (options.versions) return printVersions(await versionsOf(config), options)
      const runs = createSimilarityRunsClient(ingressOf(config))
      const fail = (error: unknown) => {
        const message =
          refusalOf(error)?.message ??
          `Restate at ${addressesOf(config).ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`
        throw new StartError(message, { cause: error })
      }
      if (options.rollback) {
        const version = await previousOf(config)
        printVersions([await runs.promote({ version, actor: actor() }).catch(fail)], options)
      } else if (options.cancel === undefined) {
        const started = await runs.start({ actor: actor() }).catch(fail)
        const run = wait ? await waitForEnd(runs, started).catch(fail) : started
        process.exitCode = ['failed', 'cancelled'].includes(run.status) ? 1 : 0
        printRun(run, options)
      } else printRun(await runs.cancel(options.cancel, { actor: actor() }).catch(fail), options)
    })
}

function versionsOf(config: Config): Promise<SimilarityVersion[]> {
  return withDatabase(config, { name: 'footfall similarity', readOnly: true }, similarityVersions)
}

/** The version before the one in force. @throws StartError when there is none. */
async function previousOf(config: Config): Promise<number> {
  const previous = (await versionsOf(config)).find((version) => !version.is_in_force)
  if (previous === undefined) throw new StartError('There is no version before the one in force.')
  return previous.version
}

/** The total is 0 until it is known. */
const BLOCKS: RunView<SimilarityRun> = {
  shareOf: ({ progress: { done, total } }) => (total === 0 ? 0 : done / total),
  describe: ({ status, stage = status, progress: { done, total } }) =>
    total === 0 ? stage : `${stage}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} blocks`,
}

/** Waits for the end of a run. A wait that is interrupted does not end the run. */
async function waitForEnd(runs: SimilarityRuns, started: SimilarityRun): Promise<SimilarityRun> {
  const progress = runProgressOn(process.stderr, BLOCKS, () =>
    printError(`The run continues; ./footfall similarity --cancel ${started.id} ends it.`),
  )
  try {
    let run = started
    for (; run.status === 'pending' || run.status === 'running'; run = await runs.status(started.id)) {
      progress.report(run)
      await sleep(POLL_MS)
    }
    return run
  } finally {
    progress.stop()
  }
}

function printRun(run: SimilarityRun, { json }: Options): void {
  if (json) return printJson(run)
  const reason = run.error_message === undefined ? '' : `: ${run.error_message}`
  const version = run.version === undefined ? '' : ` Version ${run.version} is in force.`
  print(`Similar products: ${run.status}${reason}.${version} Run ${run.id}.`)
}

function printVersions(versions: readonly SimilarityVersion[], { json }: Options): void {
  if (json) return printJson(versions)
  if (versions.length === 0) print('There is no version yet: ./footfall similarity makes one.')
  for (const { version, is_in_force: isInForce, read_at: readAt, settings_version: settings, ...counts } of versions) {
    const [products, shoppers, events] = [counts.products, counts.shoppers, counts.events].map((count) =>
      count.toLocaleString('en'),
    )
    const state = isInForce ? 'in force' : 'the one before'
    print(
      `Version ${version}, ${state}: the log of ${readAt}, ${products} products, ${shoppers} shoppers, ${events} events, ranking settings ${settings}.`,
    )
  }
}
