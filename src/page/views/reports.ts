import type { RecomputeRun } from '../../contract/recompute-run.ts'
import {
  type Breakdown,
  type ReportAnswer,
  type ReportDefinition,
  type ReportRow,
  type ReportWindow,
} from '../../contract/report.ts'
import { chart } from '../components/chart.ts'
import { actionForm, type Field, filters, tabs } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, columns, empty, noteOf, panel, partOf, viewHead } from '../components/panel.ts'
import { runsTable } from '../components/runs.ts'
import { type Column, table } from '../components/table.ts'
import { ago, amounts, day, number } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import { type Answer, dataOf } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

export interface ReportFilters {
  slug: string
  window: ReportWindow
  breakdown: string | undefined
  from: string
  to: string
}

export interface ReportsPage extends ReportFilters {
  nowMs: number
  done: string | undefined
  definitions: Answer<{ data: ReportDefinition[] }>
  report: Answer<{ data: ReportAnswer }>
  runs: Answer<{ data: RecomputeRun[] }>
  canManage: boolean
}

const BREAKDOWNS: Readonly<Record<string, readonly (readonly [Breakdown, string])[]>> = {
  'volume-by-period': [
    ['period', 'Period'],
    ['source', 'Period and source'],
  ],
  'status-counts': [
    ['status', 'Status'],
    ['period', 'Period and status'],
  ],
}
const WINDOWS = [
  ['day', 'Days'],
  ['week', 'Weeks'],
] as const
const OUTCOMES = { started: 'The run was started. It goes on by itself.', cancelled: 'The run is cancelled.' }
/** As much of an id as tells runs apart. */
const ID_CHARACTERS = 8
const RUNS_SHOWN = 6

export function reportsView(shown: ReportsPage): Node {
  const { definitions, report, runs, canManage, nowMs } = shown
  return [
    viewHead('Reports', [reportTabs(shown), filters('/reports', fieldsOf(shown))]),
    outcome(shown.done, OUTCOMES),
    columns(
      panel(
        dataOf(definitions)?.find(({ slug }) => slug === shown.slug)?.name ?? shown.slug,
        partOf(report, ({ data }) =>
          data.rows.length === 0 ? noRows() : [eventsChart(data.rows, shown.window), rowsTable(data.rows)],
        ),
        { id: 'report', note: noteOf(report, ({ data }) => statesOf(data, nowMs)) },
      ),
      [
        panel(
          'Runs',
          partOf(runs, ({ data }) => (data.length === 0 ? empty('No run was started yet.') : recomputations(shown, data))),
        ),
        canManage && panel('Start a run', startForm(shown)),
      ],
    ),
  ]
}

function reportTabs({ definitions, slug, from, to, window }: ReportsPage): Node {
  return tabs(
    'Reports',
    (dataOf(definitions) ?? []).map((report) => ({
      label: report.name,
      address: addressOf('/reports', { report: report.slug, window, from, to }),
      isCurrent: report.slug === slug,
    })),
  )
}

function fieldsOf({ slug, window, breakdown, from, to }: ReportsPage): Field[] {
  const breakdowns = BREAKDOWNS[slug]
  return [
    { kind: 'hidden', name: 'report', value: slug },
    { kind: 'select', name: 'window', label: 'Buckets', value: window, options: WINDOWS },
    ...(breakdowns === undefined
      ? []
      : [
          {
            kind: 'select' as const,
            name: 'breakdown',
            label: 'By',
            value: breakdown ?? breakdowns[0]![0],
            options: breakdowns,
          },
        ]),
    { kind: 'date', name: 'from', label: 'From', value: from },
    { kind: 'date', name: 'to', label: 'To', value: to },
  ]
}

/** Whether the numbers are complete, how fresh they are, and which runs made them. */
function statesOf({ complete, fresh_as_of, run_ids }: ReportAnswer, nowMs: number): Node {
  const ids = run_ids.slice(0, RUNS_SHOWN)
  return html`<span class="badges"
    >${complete ? badge('complete', 'good') : badge('incomplete', 'warn')}
    ${fresh_as_of === null ? badge('never built', 'warn') : badge(['built ', ago(fresh_as_of, nowMs)])}
    ${ids.map((id) => badge(html`<abbr title=${id}>run ${id.slice(0, ID_CHARACTERS)}</abbr>`))}
    ${run_ids.length > ids.length && badge(`and ${run_ids.length - ids.length} more`)}</span
  >`
}

function rowsTable(rows: readonly ReportRow[]): Node {
  const has = (name: keyof ReportRow) => rows.some((row) => row[name] !== undefined)
  const named: (Column<ReportRow> | false)[] = [
    has('bucket_date') && { head: 'Begins (UTC)', cell: ({ bucket_date }) => day(bucket_date), isHead: true },
    has('source') && { head: 'Source', cell: ({ source }) => source, isHead: !has('bucket_date') },
    has('status') && { head: 'Status', cell: ({ status }) => statusBadge(status), isHead: !has('bucket_date') },
    has('entity_id') && { head: 'Entity', cell: ({ entity_id }) => entity_id, isHead: true },
  ]
  return table<ReportRow>({
    caption: 'The rows of the report',
    columns: [
      ...named.filter((column) => column !== false),
      { head: 'Events', cell: ({ event_count }) => number(event_count), isNumber: true },
      { head: 'Amounts', cell: (row) => amounts(row.amounts), isNumber: true },
      { head: 'Average (ms)', cell: ({ processing_ms_avg }) => number(processing_ms_avg), isNumber: true, shown: 'medium' },
      { head: 'Longest (ms)', cell: ({ processing_ms_max }) => number(processing_ms_max), isNumber: true, shown: 'medium' },
    ],
    rows,
  })
}

/** Events over time, a line for each source or status; nothing for a report that is of the whole range. */
function eventsChart(rows: readonly ReportRow[], window: ReportWindow): Node {
  const dates = [...new Set(rows.flatMap(({ bucket_date }) => bucket_date ?? []))].sort()
  if (dates.length < 2) return null
  const nameOf = ({ source, status }: ReportRow) => source ?? status ?? 'Events'
  const names = [...new Set(rows.map(nameOf))]
  const countOf = (name: string, date: string) =>
    rows.find((row) => row.bucket_date === date && nameOf(row) === name)?.event_count ?? 0
  return chart({
    id: 'events',
    caption: `Events per ${window}`,
    step: 'day',
    times: dates,
    series: names.map((label) => ({ label, values: dates.map((date) => countOf(label, date)) })),
  })
}

function statusBadge(status: string | undefined): Node {
  return badge(status, status === 'failed' ? 'bad' : status === 'success' ? 'good' : 'warn')
}

function noRows(): Node {
  return empty(
    'No operation was reported in this range, or its buckets are not built yet.',
    html`Send operations to <code>POST /api/v1/analytics-events</code>, run <code>./footfall demo</code>, or start a run.`,
  )
}

function recomputations({ canManage, nowMs }: ReportsPage, rows: readonly RecomputeRun[]): Node {
  return runsTable(
    {
      caption: 'Runs that build reports, newest first',
      rows,
      nowMs,
      canCancel: canManage,
    },
    {
      head: 'Report',
      cell: ({ report_slug, window, date_from, date_to }) => [
        `${report_slug} per ${window}`,
        html`<br /><span class="quiet">${day(date_from)} to ${day(date_to)}</span>`,
      ],
      isHead: true,
    },
  )
}

function startForm({ slug, window, from, to, definitions }: ReportsPage): Node {
  const options = (dataOf(definitions) ?? []).map((report) => [report.slug, report.name] as const)
  return actionForm(
    'start',
    [
      { kind: 'select', name: 'report_slug', label: 'Report', value: slug, options },
      { kind: 'select', name: 'window', label: 'Buckets', value: window, options: WINDOWS },
      { kind: 'date', name: 'date_from', label: 'First day (UTC)', value: from, isRequired: true },
      { kind: 'date', name: 'date_to', label: 'Last day (UTC)', value: to, isRequired: true },
    ],
    'Build again',
  )
}
