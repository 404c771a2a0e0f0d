import type { ExportStatus, PersonExport } from '../../contract/person-export.ts'
import { badge, empty, type Tone } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, number } from '../components/value.ts'
import { html, type Node } from '../template/html.ts'

const TONES: Record<ExportStatus, Tone> = { started: 'accent', completed: 'good', cut_off: 'warn' }
const WORDS: Record<ExportStatus, string> = { started: 'started', completed: 'completed', cut_off: 'cut off' }

/** Exports of what is kept about persons, which name no shopper. */
export function exportsPart(rows: readonly PersonExport[], nowMs: number): Node {
  if (rows.length === 0) {
    return empty(
      'Nothing that is kept about a person was exported yet.',
      html`<code>./footfall export account:ID FILE</code> writes all of it into a file.`,
    )
  }
  return table<PersonExport>({
    caption: 'Exports of what is kept about persons, newest first',
    columns: [
      {
        head: 'By',
        cell: ({ id, actor, requested_by: by }) => [
          html`<abbr title=${id}>${actor}</abbr>`,
          by !== null && html`<br /><span class="quiet">for ${by}</span>`,
        ],
        isHead: true,
      },
      { head: 'State', cell: ({ status }) => badge(WORDS[status], TONES[status]) },
      { head: 'Rows', cell: ({ rows: count }) => number(count), isNumber: true },
      { head: 'Began', cell: ({ started_at }) => ago(started_at, nowMs), shown: 'medium' },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}
