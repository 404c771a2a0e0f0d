import { html, type Node } from '../template/html.ts'

/** A narrow window shows the columns that are shown always; a medium and a wide one show more. */
export type Shown = 'always' | 'medium' | 'wide'

export interface Column<Row> {
  head: Node
  cell: (row: Row, index: number) => Node
  /** Numbers are aligned to the right. */
  isNumber?: boolean
  shown?: Shown
  /** Whether the column names its row. */
  isHead?: boolean
}

export interface TableOf<Row> {
  /** What the table shows; read out, and not seen. */
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  /** What tells a row from the others, so that the focus stays in a row that moves. */
  idOf?: (row: Row) => string
}

export function table<Row>({ caption, columns, rows, idOf }: TableOf<Row>): Node {
  const heads = columns.map(({ head, ...column }) => html`<th scope="col" class=${classOf(column)}>${head}</th>`)
  return html`<div class="scroll">
    <table>
      <caption class="hidden">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, index) =>
            html`<tr id=${idOf && rowId(idOf(row))}>
              ${columns.map((column) => cellOf(column, row, index))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

function cellOf<Row>(column: Column<Row>, row: Row, index: number): Node {
  const { cell, isHead = false } = column
  return isHead
    ? html`<th scope="row" class=${classOf(column)}>${cell(row, index)}</th>`
    : html`<td class=${classOf(column)}>${cell(row, index)}</td>`
}

function classOf({ isNumber = false, shown = 'always' }: Pick<Column<never>, 'isNumber' | 'shown'>): string | undefined {
  const names = [isNumber && 'number', shown !== 'always' && shown].filter(Boolean)
  return names.length === 0 ? undefined : names.join(' ')
}

/** Ids of elements have no blanks. */
function rowId(text: string): string {
  return `row-${encodeURIComponent(text)}`
}
