import type { AboutResponse } from '../../contract/about.ts'
import type { ArchivedMonth } from '../../contract/archived-month.ts'
import type { AuditEntry } from '../../contract/audit-entry.ts'
import type { BacklogResponse } from '../../contract/backlog.ts'
import type { ErasureRun } from '../../contract/erasure.ts'
import type { StuckInvocation, StuckInvocationsResponse } from '../../contract/invocation.ts'
import type { KafkaLagResponse } from '../../contract/kafka-lag.ts'
import type { PersonExport } from '../../contract/person-export.ts'
import type { ScheduleState } from '../../contract/schedule.ts'
import type { LatestVerification, VerificationRun } from '../../contract/verification-run.ts'
import { actionForm } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, card, cards, columns, empty, facts, noteOf, panel, partOf, viewHead } from '../components/panel.ts'
import { isOpen, runsTable } from '../components/runs.ts'
import { table } from '../components/table.ts'
import { ago, dash, number } from '../components/value.ts'
import { type Answer, dataOf, isProblem } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { archivesPart } from './archives.ts'
import { erasuresPart } from './erasures.ts'
import { exportsPart } from './exports.ts'
import { kafkaPanel } from './kafka.ts'
import { schedulesTable } from './schedules.ts'

/** The parts of the system that are not ready, or what else an operator should look at. */
export interface Ready {
  status: 'ok'
  details?: {
    paused_tasks?: readonly string[] | null
    kafka_consumer?: { status: string } | null
    lost_calls?: { timeline: number; timeline_before: number; calls: number | null }
  }
}

export interface OperationsPage {
  nowMs: number
  done: string | undefined
  ready: Answer<Ready>
  about: Answer<AboutResponse>
  backlog: Answer<BacklogResponse>
  latest: Answer<{ data: LatestVerification | null }>
  verifications: Answer<{ data: VerificationRun[] }>
  invocations: Answer<StuckInvocationsResponse>
  schedules: Answer<{ data: ScheduleState[] }>
  kafka: Answer<KafkaLagResponse>
  archives: Answer<{ data: ArchivedMonth[] }>
  erasures: Answer<{ data: ErasureRun[] }>
  exports: Answer<{ data: PersonExport[] }>
  audit: Answer<{ data: AuditEntry[] }>
}

const OUTCOMES = {
  started: 'The verification was started. It goes on by itself.',
  cancelled: 'The verification is cancelled.',
}

export function operationsView(shown: OperationsPage): Node {
  const { about, invocations, schedules, verifications, latest, audit, nowMs } = shown
  return [
    viewHead(
      'Operations',
      noteOf(about, ({ data }) => versionsOf(data)),
    ),
    outcome(shown.done, OUTCOMES),
    numbersOf(shown),
    columns(
      [
        panel(
          'Verification',
          [
            partOf(latest, ({ data }) => proofOf(data, nowMs)),
            partOf(verifications, ({ data }) => data.length > 0 && verificationRuns(data, nowMs)),
            !(dataOf(verifications) ?? []).some(isOpen) && actionForm('verify', [], 'Verify every number'),
          ],
          { id: 'verification' },
        ),
        panel(
          'Invocations that fail',
          partOf(invocations, ({ data }) => (data.length === 0 ? empty('No invocation fails.') : invocationsTable(data, shown))),
          { id: 'invocations', note: noteOf(invocations, ({ meta }) => `${meta.paused} paused, ${meta.retrying} tried again`) },
        ),
        panel(
          'Schedules',
          partOf(schedules, ({ data }) => schedulesTable(data, nowMs)),
          { id: 'schedules' },
        ),
        kafkaPanel(shown.kafka, nowMs),
      ],
      [
        panel('Parts', partsOf(shown.ready)),
        panel(
          'Erasures',
          partOf(shown.erasures, ({ data }) => erasuresPart(data, nowMs)),
          { id: 'erasures' },
        ),
        panel(
          'Exports',
          partOf(shown.exports, ({ data }) => exportsPart(data, nowMs)),
          { id: 'exports' },
        ),
        panel(
          'Archive',
          partOf(shown.archives, ({ data }) => archivesPart(data, nowMs)),
          { id: 'archive' },
        ),
        panel(
          'Latest changes',
          partOf(audit, ({ data }) => (data.length === 0 ? empty('No operator changed anything yet.') : auditTable(data, nowMs))),
          { note: 'without scheduled work' },
        ),
      ],
    ),
  ]
}

function versionsOf({ version, schema, restate_ui_url }: AboutResponse['data']): Node {
  return html`<p class="quiet">
    Footfall ${version}, schema ${schema}${restate_ui_url !== null && [', ', html`<a href=${restate_ui_url}>Restate</a>`]},
    ${' '}<a href="/docs">API</a>, <a href="/metrics">metrics</a>
  </p>`
}

function numbersOf({ ready, backlog, invocations }: OperationsPage): Node {
  const waiting = dataOf(backlog)
  const stuck = isProblem(invocations) ? undefined : invocations.meta
  const age = (seconds: number | null | undefined): Node =>
    seconds !== null && seconds !== undefined && ['oldest ', number(seconds, 1), ' s']
  return cards([
    card('Ready', isProblem(ready) ? badge('no', 'bad') : badge('yes', 'good'), isProblem(ready) && ready.error.message),
    card('Wait to be counted', number(waiting?.counting.events), age(waiting?.counting.oldest_seconds)),
    card('Wait to be fed', number(waiting?.feeding.events), age(waiting?.feeding.oldest_seconds)),
    card('Paused invocations', number(stuck?.paused)),
  ])
}

const PART_NAMES: Readonly<Record<string, string>> = {
  postgresql: 'PostgreSQL',
  restate: 'Restate',
  endpoint: 'Service endpoint',
  registration: 'Registered services',
}

function partsOf(ready: Answer<Ready>): Node {
  const states = statesOf(ready)
  const { paused_tasks, kafka_consumer, lost_calls } = (isProblem(ready) ? undefined : ready.details) ?? {}
  return facts([
    ...Object.entries(PART_NAMES).map(([part, name]) => [name, partState(states[part])] as const),
    ...(lost_calls === undefined ? [] : [['After a failover of PostgreSQL', lostState(lost_calls)] as const]),
    ...(kafka_consumer === undefined
      ? []
      : [['Consumer of Kafka', badge(kafka_consumer?.status ?? 'does not answer', 'warn')] as const]),
    ['Paused tasks', isProblem(ready) || paused_tasks === null ? 'not known' : (paused_tasks ?? []).join(', ') || 'none'],
  ])
}

function lostState({ timeline, timeline_before, calls }: NonNullable<NonNullable<Ready['details']>['lost_calls']>): Node {
  const what = calls === null ? 'calls are not compared yet' : `${calls} acknowledged calls are missing`
  const since = `timeline ${timeline}, before it ${timeline_before}`
  return [badge(what, calls === 0 ? 'warn' : 'bad'), ' ', since, ': run ', html`<code>footfall reconcile</code>`]
}

function partState(isReady: unknown): Node {
  if (typeof isReady !== 'boolean') return dash()
  return isReady ? badge('ready', 'good') : badge('does not answer', 'bad')
}

/** What an answer tells of each part: all are ready, or some are not. Another problem tells nothing. */
function statesOf(ready: Answer<Ready>): Record<string, unknown> {
  const details = isProblem(ready) ? ready.error.details : Object.fromEntries(Object.keys(PART_NAMES).map((part) => [part, true]))
  return typeof details === 'object' && details !== null ? { ...details } : {}
}

function proofOf(run: LatestVerification | null, nowMs: number): Node {
  if (run === null) return empty('No verification has completed yet.', 'It replays the log against every number.')
  const { cells, drift_count: drift, events, analytics_events, finished_at } = run
  return html`<p>
    ${drift === 0 ? badge('proved', 'good') : badge('wrong', 'bad')}
    ${[' ', ago(finished_at, nowMs), ': ', number(drift), ' of ', number(cells), ' cells differ from the log of ', number(events)]}
    ${[' events and ', number(analytics_events), ' operations.']}
  </p>`
}

function verificationRuns(rows: readonly VerificationRun[], nowMs: number): Node {
  return runsTable(
    { caption: 'Verifications, newest first', rows, nowMs, canCancel: true },
    {
      head: 'By',
      cell: ({ actor, progress }) => [actor, progress.step !== undefined && html` <code>${progress.step}</code>`],
      isHead: true,
    },
  )
}

function invocationsTable(rows: readonly StuckInvocation[], { about, nowMs }: OperationsPage): Node {
  const restate = dataOf(about)?.restate_ui_url
  const address = (id: string) => `${restate}/invocations/${encodeURIComponent(id)}`
  return table<StuckInvocation>({
    caption: 'Invocations that fail, paused ones first',
    columns: [
      {
        head: 'Call',
        cell: ({ id, target }) => [
          target,
          html`<br />`,
          restate ? html`<a href=${address(id)}><code>${id}</code></a>` : html`<code>${id}</code>`,
        ],
        isHead: true,
      },
      { head: 'State', cell: ({ state }) => badge(state, state === 'paused' ? 'bad' : 'warn') },
      { head: 'Attempts', cell: ({ attempts }) => number(attempts), isNumber: true, shown: 'medium' },
      { head: 'Since', cell: ({ since }) => ago(since, nowMs), shown: 'medium' },
      { head: 'Why', cell: ({ error }) => error ?? dash(), shown: 'medium' },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function auditTable(rows: readonly AuditEntry[], nowMs: number): Node {
  return table<AuditEntry>({
    caption: 'The latest entries of the audit trail',
    columns: [
      {
        head: 'Change',
        cell: ({ action, actor, resource_id: id }) => [
          html`<abbr title=${id}>${action}</abbr>`,
          html`<br /><span class="quiet">by ${actor}</span>`,
        ],
        isHead: true,
      },
      { head: 'When', cell: ({ at }) => ago(at, nowMs) },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}
