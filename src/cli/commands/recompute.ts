import { setTimeout as sleep } from 'node:timers/promises'
import { Command, Option } from 'commander'
import { type RecomputeRun, StartRun } from '../../contract/recompute-run.ts'
import { REPORT_SLUGS, ReportDay, type ReportWindow, WINDOWS } from '../../contract/report.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { createRecomputeRunsClient, type Runs } from '../../ingress/recompute-runs-client.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { actor } from '../terminal/actor.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { ingressOf } from '../../main/ingress.ts'
import { runProgressOn, type RunView } from '../terminal/run-progress.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import { dayOf, daysAfter } from '../../ranking/day.ts'
import { print, printError, printJson } from '../terminal/output.ts'

const POLL_MS = 300
const DAYS_BEFORE = 29

interface Options {
  window: ReportWindow
  from?: string
  to?: string
  wait: boolean
  json?: boolean
  cancel?: string
}

export function recomputeCommand(): Command {
  return new Command('recompute')
    .description(
      'Rebuild a report from its events and wait for the end. Exit 1 when the run failed or was cancelled. Restate must be running.',
    )
    .argument('[report]', `the report: ${REPORT_SLUGS.join(', ')}`)
    .addOption(new Option('--window <window>', 'the size of a bucket').choices(WINDOWS).default('day'))
    .option('--from <day>', 'the first day, UTC; widened to whole buckets (default: 29 days before the last)')
    .option('--to <day>', 'the last day, included (default: today)')
    .option('--no-wait', 'start the run and return')
    .option('--cancel <run>', 'cancel a run instead; buckets that it has rebuilt stay so')
    .option('--json', 'print the run as JSON')
    .action(async (report: string | undefined, options: Options) => {
      const config = readConfig(process.env)
      const { ingressUrl } = addressesOf(config)
      const runs = createRecomputeRunsClient(ingressOf(config))
      const fail = (error: unknown) => {
        const message =
          refusalOf(error)?.message ??
          `Restate at ${ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`
        throw new StartError(message, { cause: error })
      }
      if (options.cancel !== undefined) printRun(await runs.cancel(options.cancel, { actor: actor() }).catch(fail), options)
      else if (report === undefined) throw new UsageError(`Name a report: ${REPORT_SLUGS.join(', ')}.`)
      else {
        const started = await runs.start(requestOf(report, options)).catch(fail)
        const run = options.wait ? await waitForEnd(runs, started).catch(fail) : started
        process.exitCode = ['failed', 'cancelled'].includes(run.status) ? 1 : 0
        printRun(run, options)
      }
    })
}

function requestOf(report: string, { window, from, to = dayOf(Date.now()) }: Options): StartRun {
  const firstDay = from ?? (ReportDay.safeParse(to).success ? daysAfter(to, -DAYS_BEFORE) : dayOf(Date.now()))
  const fields = { report_slug: report, window, date_from: firstDay, date_to: to, actor: actor() }
  const request = StartRun.safeParse(fields, { error: plainMessage })
  if (request.success) return request.data
  const [issue] = request.error.issues
  const option = { date_from: '--from', date_to: '--to' }[String(issue?.path[0])]
  throw new UsageError(`${option ?? 'The report'} ${issue?.message}.`)
}

const BUCKETS: RunView<RecomputeRun> = {
  shareOf: ({ progress: { done, total } }) => done / total,
  describe: ({ status, progress: { done, total } }) =>
    `${status}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} buckets`,
}

/** Waits for the end of a run. A wait that is interrupted does not end the run. */
async function waitForEnd(runs: Runs, started: RecomputeRun): Promise<RecomputeRun> {
  const progress = runProgressOn(process.stderr, BUCKETS, () =>
    printError(`The run continues; ./footfall recompute --cancel ${started.id} ends it.`),
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

function printRun(run: RecomputeRun, { json }: Options): void {
  if (json) printJson(run)
  else print(sentenceOf(run))
}

function sentenceOf({ id, status, report_slug: report, window, date_from: from, date_to: to, ...run }: RecomputeRun): string {
  const { done, total } = run.progress
  const numbers = run.summary === undefined ? '' : `, ${run.summary.rows_inserted} rows for ${run.summary.rows_deleted}`
  const reason = run.error_message === undefined ? '' : `: ${run.error_message}`
  return `${report} by ${window}, ${from} to ${to}: ${status}${reason}. ${done} of ${total} buckets${numbers}. Run ${id}.`
}
