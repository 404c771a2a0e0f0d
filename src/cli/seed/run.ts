import { setTimeout as sleep } from 'node:timers/promises'
import type { AnalyticsEvent } from '../../contract/analytics-event.ts'
import { REPORT_SLUGS, type ReportRow, type ReportWindow, WINDOWS } from '../../contract/report.ts'
import { analyticApi } from '../../contract/services.ts'
import { DAY_MS } from '../../contract/fields/time.ts'
import { createRecomputeRunsClient, type Runs } from '../../ingress/recompute-runs-client.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { actor } from '../terminal/actor.ts'
import { SEED_DAYS } from './events.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import type { Config } from '../../main/config/config.ts'
import { ingressOf } from '../../main/ingress.ts'
import { StartError } from '../../main/config/start-error.ts'
import { dayOf } from '../../ranking/day.ts'

const EVENTS_PER_CALL = 1_000
const CALL_MS_MAX = 60_000
const POLL_MS = 100

export interface Seeded {
  recorded: { accepted: number; duplicates: number; rejected: number }
  reports: { slug: string; rows: ReportRow[] }[]
}

/** Records the events, recomputes every report in every window, and returns the totals. Safe to repeat with the same events. */
export async function runSeed(
  config: Config,
  { events, endMs }: { events: readonly AnalyticsEvent[]; endMs: number },
): Promise<Seeded> {
  const { ingressUrl } = addressesOf(config)
  const ingress = ingressOf(config)
  const recorded = { accepted: 0, duplicates: 0, rejected: 0 }
  for (let place = 0; place < events.length; place += EVENTS_PER_CALL) {
    const batch = events.slice(place, place + EVENTS_PER_CALL)
    const recording = ingress.call(analyticApi, 'RecordEvents', { events: batch }, { deadlineMs: CALL_MS_MAX })
    const answer = await recording.catch((cause: unknown) => {
      throw new StartError(`Restate at ${ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`, {
        cause,
      })
    })
    recorded.accepted += answer.accepted
    recorded.duplicates += answer.duplicates
    recorded.rejected += answer.rejected.length
  }
  const days = { date_from: dayOf(endMs - SEED_DAYS * DAY_MS), date_to: dayOf(endMs - DAY_MS) }
  const runs = createRecomputeRunsClient(ingress)
  for (const report_slug of REPORT_SLUGS) {
    for (const window of WINDOWS) await recompute(runs, { report_slug, window, ...days })
  }
  const reports = await Promise.all(
    REPORT_SLUGS.map(async (slug) => {
      const question = { report_slug: slug, window: 'week' as const, ...days, limit: 20, offset: 0 }
      const { rows } = await ingress.read(analyticApi, 'RunReport', question, { deadlineMs: CALL_MS_MAX })
      return { slug, rows }
    }),
  )
  return { recorded, reports }
}

async function recompute(
  runs: Runs,
  scope: { report_slug: string; window: ReportWindow; date_from: string; date_to: string },
): Promise<void> {
  let run = await runs.start({ ...scope, actor: actor() }).catch((cause: unknown) => {
    throw new StartError(refusalOf(cause)?.message ?? 'Restate does not answer: run the command again.', { cause })
  })
  for (; run.status === 'pending' || run.status === 'running'; run = await runs.status(run.id)) await sleep(POLL_MS)
  if (run.status !== 'completed')
    throw new StartError(`The run ${run.id} of ${run.report_slug} ${run.status}: ${run.error_message ?? ''}`)
}
