import type { BrandsResponse, CategoriesResponse, CategoryCount } from '../../contract/product-kind.ts'
import { filters, pager } from '../components/form.ts'
import { empty, FILL_SHOP, panel, partOf, viewHead } from '../components/panel.ts'
import { bar } from '../components/sparkline.ts'
import { table } from '../components/table.ts'
import { change, number } from '../components/value.ts'
import { addressOf } from '../template/address.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

/** Products of a catalog are grouped by one of these. */
export type Group = 'category' | 'brand'

type GroupRow = Partial<Record<Group, string>> & Omit<CategoryCount, 'category'>

export interface CategoriesPage {
  group: Group
  days: string
  cursor: string | undefined
  list: Answer<CategoriesResponse | BrandsResponse>
}

const DAYS = [
  ['1', '24 hours'],
  ['7', '7 days'],
  ['30', '30 days'],
] as const

export function categoriesView({ group, days, cursor, list }: CategoriesPage): Node {
  const query = { group: group === 'category' ? undefined : group, days }
  return [
    viewHead(group === 'category' ? 'Categories' : 'Brands', [
      filters('/categories', [
        {
          kind: 'select',
          name: 'group',
          label: 'Group by',
          value: group,
          options: [
            ['category', 'Category'],
            ['brand', 'Brand'],
          ],
        },
        { kind: 'select', name: 'days', label: 'Window', value: days, options: DAYS, unit: 'day' },
      ]),
    ]),
    panel(
      group === 'category' ? 'Categories' : 'Brands',
      partOf(list, ({ data, meta }) => [
        data.length === 0 ? empty('No product of the catalog has one.', FILL_SHOP) : groupsTable(group, data),
        pager('/categories', { ...query, cursor }, meta.next_cursor),
      ]),
      { note: 'Change against the window before' },
    ),
  ]
}

function groupsTable(group: Group, rows: readonly GroupRow[]): Node {
  const most = Math.max(...rows.map(({ events }) => events), 1)
  return table({
    caption: 'Events of the window, most first',
    columns: [
      { head: group === 'category' ? 'Category' : 'Brand', cell: (row) => nameOf(group, row[group]), isHead: true },
      { head: 'Events', cell: ({ events }) => number(events), isNumber: true },
      { head: 'Change', cell: (row) => change(row.change), isNumber: true },
      {
        head: 'Part',
        cell: ({ events }) => bar(events / most, `${Math.round((100 * events) / most)} % of the most`),
        shown: 'medium',
      },
      { head: 'Products', cell: (row) => productsOf(group, row), isNumber: true },
    ],
    rows,
    idOf: (row) => row[group] ?? '',
  })
}

/** A category leads to what is hot in it. */
function nameOf(group: Group, name: string | null | undefined): Node {
  if (!name) return html`<span class="quiet">without</span>`
  return group === 'category' ? html`<a href=${addressOf('/', { category_ids: name })}>${name}</a>` : name
}

function productsOf(group: Group, row: GroupRow): Node {
  const name = row[group]
  return name ? html`<a href=${addressOf('/products', { [group]: name })}>${number(row.products)}</a>` : number(row.products)
}
