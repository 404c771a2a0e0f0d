import type { ErasureRun } from '../../contract/erasure.ts'
import { badge, empty } from '../components/panel.ts'
import { RUN_TONES } from '../components/runs.ts'
import { table } from '../components/table.ts'
import { ago, number } from '../components/value.ts'
import { html, type Node } from '../template/html.ts'

/** Erasures, which name no shopper. */
export function erasuresPart(rows: readonly ErasureRun[], nowMs: number): Node {
  if (rows.length === 0) {
    return empty('No person was erased yet.', html`<code>./footfall erase account:ID</code> erases a person.`)
  }
  return table<ErasureRun>({
    caption: 'Erasures of persons, newest first',
    columns: [
      {
        head: 'By',
        cell: ({ id, actor, requested_by: by }) => [
          html`<abbr title=${id}>${actor}</abbr>`,
          by !== null && html`<br /><span class="quiet">for ${by}</span>`,
        ],
        isHead: true,
      },
      { head: 'State', cell: stateOf },
      { head: 'Rows', cell: ({ certificate }) => number(certificate && rowsOf(certificate.tables)), isNumber: true },
      { head: 'Asked', cell: ({ requested_at }) => ago(requested_at, nowMs), shown: 'medium' },
      { head: 'Ended', cell: ({ finished_at }) => ago(finished_at, nowMs), shown: 'medium' },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function stateOf({ status, step, error_message }: ErasureRun): Node {
  return [
    badge(status, RUN_TONES[status]),
    status === 'running' && html` <code>${step}</code>`,
    error_message !== undefined && html`<br /><span class="quiet">${error_message}</span>`,
  ]
}

function rowsOf(tables: Readonly<Record<string, number>>): number {
  return Object.values(tables).reduce((sum, rows) => sum + rows, 0)
}
