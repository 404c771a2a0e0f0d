import type { IngestHour, IngestKind, IngestOfKind, IngestResponse } from '../../contract/ingest.ts'
import type { RejectedCode, RejectedInteraction, RejectedResponse } from '../../contract/rejected.ts'
import type { ReplayRun } from '../../contract/replay-run.ts'
import { chart } from '../components/chart.ts'
import { actionForm, filters, pager } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, card, cards, columns, empty, FILL_SHOP, noteOf, panel, partOf, viewHead } from '../components/panel.ts'
import { runsTable } from '../components/runs.ts'
import { table } from '../components/table.ts'
import { ago, dash, instant, number, share } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import { type Answer, dataOf } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { repairPanel } from './repair.ts'

export interface QualityPage {
  hours: string
  cursor: string | undefined
  done: string | undefined
  nowMs: number
  ingest: Answer<IngestResponse>
  codes: Answer<{ data: RejectedCode[] }>
  rejected: Answer<RejectedResponse>
  runs: Answer<{ data: ReplayRun[] }>
  /** The rejected event that is looked at. */
  chosen: Answer<{ data: RejectedInteraction }> | undefined
}

export const HOURS = [
  ['24', '24 hours'],
  ['72', '3 days'],
  ['168', '7 days'],
] as const
const OUTCOMES = {
  replayed: 'The event is recorded.',
  duplicate: 'The event was recorded before.',
  started: 'The run was started. It goes on by itself.',
  cancelled: 'The run is cancelled; events that were replayed stay replayed.',
}
const KIND_NAMES: Record<IngestKind, string> = {
  interaction: 'Interactions',
  search: 'Searches',
  payment: 'Payments',
  analytics_event: 'Operations',
  product: 'Products',
}

export function qualityView(shown: QualityPage): Node {
  const { hours, ingest, codes, rejected, runs, chosen, nowMs } = shown
  return [
    viewHead(
      'Quality',
      filters('/quality', [{ kind: 'select', name: 'hours', label: 'Window', value: hours, options: HOURS, unit: 'hour' }]),
    ),
    outcome(shown.done, OUTCOMES),
    chosen !== undefined && repairPanel(chosen, addressOf('/quality', { hours: hoursOf(shown) })),
    partOf(ingest, ({ data }) => totals(data)),
    columns(
      [
        panel(
          'What came in, by the hour',
          partOf(ingest, ({ data }) => hourChart(data)),
          { note: noteOf(ingest, ({ meta }) => ['Counted since ', instant(meta.counted_since)]) },
        ),
        panel(
          'Rejected events',
          partOf(rejected, ({ data, meta }) => [
            data.length === 0 ? empty('No rejected event waits.') : rejectedTable(data, shown),
            pager('/quality', { hours: hoursOf(shown), cursor: shown.cursor }, meta.next_cursor),
          ]),
          { id: 'rejected' },
        ),
      ],
      [
        panel(
          'By kind',
          partOf(ingest, ({ data }) => kindsTable(data)),
          { id: 'kinds' },
        ),
        panel(
          'Rejected, by code',
          partOf(codes, ({ data }) => (data.length === 0 ? empty('Nothing waits.') : codesTable(data, nowMs))),
          { id: 'codes' },
        ),
        (dataOf(runs) ?? []).length > 0 &&
          panel(
            'Replays of a code',
            partOf(runs, ({ data }) => replayRuns(data, nowMs)),
          ),
      ],
    ),
  ]
}

/** The window, unless it is the one that needs no name in the address. */
function hoursOf({ hours }: QualityPage): string | undefined {
  return hours === HOURS[0][0] ? undefined : hours
}

type Counts = Omit<IngestOfKind, 'kind'>

function sumOf(counts: readonly Counts[]): Counts {
  const sum = (of: keyof Counts) => counts.reduce((total, each) => total + each[of], 0)
  return { accepted: sum('accepted'), duplicates: sum('duplicates'), rejected: sum('rejected') }
}

function totals(hours: readonly IngestHour[]): Node {
  const { accepted, duplicates, rejected } = sumOf(hours.flatMap(({ kinds }) => kinds))
  const all = accepted + duplicates + rejected
  return cards([
    card('Accepted', number(accepted)),
    card('Duplicates', number(duplicates), 'sent again, counted once'),
    card('Rejected', number(rejected), all > 0 && [share(rejected / all, 2), ' of all']),
  ])
}

function hourChart(hours: readonly IngestHour[]): Node {
  const sums = hours.map(({ kinds }) => sumOf(kinds))
  if (sums.every(({ accepted, duplicates, rejected }) => accepted + duplicates + rejected === 0))
    return empty('Nothing came in during this window.', FILL_SHOP)
  return chart({
    id: 'ingest',
    caption: 'Accepted, duplicate and rejected items by the hour',
    step: 'hour',
    times: hours.map(({ hour }) => hour),
    series: [
      { label: 'Accepted', values: sums.map(({ accepted }) => accepted) },
      { label: 'Duplicates', values: sums.map(({ duplicates }) => duplicates) },
      { label: 'Rejected', values: sums.map(({ rejected }) => rejected) },
    ],
  })
}

function kindsTable(hours: readonly IngestHour[]): Node {
  const names = Object.keys(KIND_NAMES) as IngestKind[]
  const rows = names.map((kind) => ({
    kind,
    ...sumOf(hours.flatMap(({ kinds }) => kinds.filter((each) => each.kind === kind))),
  }))
  return table({
    caption: 'What came in, by kind',
    columns: [
      { head: 'Kind', cell: ({ kind }) => KIND_NAMES[kind], isHead: true },
      { head: 'Accepted', cell: ({ accepted }) => number(accepted), isNumber: true },
      { head: 'Duplicates', cell: ({ duplicates }) => number(duplicates), isNumber: true },
      { head: 'Rejected', cell: ({ rejected }) => number(rejected), isNumber: true },
    ],
    rows,
  })
}

function codesTable(rows: readonly RejectedCode[], nowMs: number): Node {
  return table<RejectedCode>({
    caption: 'Rejected events that wait, by code and kind',
    columns: [
      { head: 'Code', cell: ({ code, kind }) => [badge(code, 'warn'), html` <span class="quiet">${kind}</span>`], isHead: true },
      { head: 'Events', cell: ({ count }) => number(count), isNumber: true },
      { head: 'Newest', cell: ({ newest_at }) => ago(newest_at, nowMs), shown: 'wide' },
      { head: 'Change', cell: ({ code, replayable }) => replayCodeForm(code, replayable) },
    ],
    rows,
  })
}

function replayCodeForm(code: string, replayable: number): Node {
  if (replayable === 0) return dash()
  return actionForm(
    'replay_code',
    [{ kind: 'hidden', name: 'code', value: code }],
    html`Replay all<span class="hidden"> of ${code}</span>`,
  )
}

function rejectedTable(rows: readonly RejectedInteraction[], page: QualityPage): Node {
  return table<RejectedInteraction>({
    caption: 'Rejected events, newest first',
    columns: [
      {
        head: 'Event',
        cell: ({ id }) => html`<a href=${addressOf('/quality', { hours: hoursOf(page), id, cursor: page.cursor })}>${id}</a>`,
        isHead: true,
      },
      { head: 'Code', cell: ({ code }) => badge(code, 'warn'), shown: 'medium' },
      { head: 'Why', cell: ({ field, message }) => [field !== null && html`<code>${field}</code>`, ' ', message] },
      { head: 'Received', cell: ({ received_at }) => ago(received_at, page.nowMs), shown: 'medium' },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function replayRuns(rows: readonly ReplayRun[], nowMs: number): Node {
  return runsTable(
    { caption: 'Runs that replay all events of a code, newest first', rows, nowMs, canCancel: true },
    {
      head: 'Code',
      cell: ({ code, accepted, rejected }) => [
        code,
        html`<br /><span class="quiet">${accepted} accepted, ${rejected} rejected again</span>`,
      ],
      isHead: true,
    },
  )
}
