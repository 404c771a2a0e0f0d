import type { ArchivedMonth } from '../../contract/archived-month.ts'
import { badge, empty } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, number } from '../components/value.ts'
import { html, type Node } from '../template/html.ts'

/** The months of the log that the archive has. */
export function archivesPart(rows: readonly ArchivedMonth[], nowMs: number): Node {
  if (rows.length === 0) {
    return empty(
      'No month of the log is archived yet.',
      html`With <code>ARCHIVE_LOG=on</code> each month is archived before <code>RETENTION_DAYS</code> drops it.`,
    )
  }
  return table<ArchivedMonth>({
    caption: 'Archived months of the log, the latest first',
    columns: [
      {
        head: 'Month (UTC)',
        cell: ({ month, table: of, restored_at }) => [
          month,
          ' ',
          restored_at !== null && badge('restored', 'accent'),
          html`<br /><span class="quiet">${of}</span>`,
        ],
        isHead: true,
      },
      { head: 'Rows', cell: ({ rows: count }) => number(count), isNumber: true },
      { head: 'Archived', cell: ({ archived_at }) => ago(archived_at, nowMs) },
      { head: 'Where', cell: ({ place }) => html`<code>${place}</code>`, shown: 'medium' },
    ],
    rows,
    idOf: ({ month, table: of }) => `${month}-${of}`,
  })
}
