import type { SellerSales, SellersResponse } from '../../contract/seller-list.ts'
import { filters, pager } from '../components/form.ts'
import { empty, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { amounts, change, dash, day, number } from '../components/value.ts'
import { sellerAddress } from '../template/address.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

export interface SellersPage {
  days: string
  start: string
  end: string
  cursor: string | undefined
  list: Answer<SellersResponse>
}

/** Ranges of whole days that end today. */
export const RANGES = [
  ['1', 'Today'],
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
] as const

export function sellersView({ days, start, end, cursor, list }: SellersPage): Node {
  return [
    viewHead(
      'Sellers',
      filters('/sellers', [{ kind: 'select', name: 'days', label: 'Range', value: days, options: RANGES, unit: 'day' }]),
    ),
    panel(
      'What each seller sold',
      partOf(list, ({ data, meta }) => [
        data.length === 0 ? noSeller() : sellersTable(data),
        pager('/sellers', { days, cursor }, meta.next_cursor),
      ]),
      { note: ['Days of UTC from ', day(start), ' to ', day(end)] },
    ),
  ]
}

function sellersTable(rows: readonly SellerSales[]): Node {
  return table<SellerSales>({
    caption: 'What each seller sold',
    columns: [
      { head: 'Seller', cell: ({ seller_id }) => sellerLink(seller_id), isHead: true },
      { head: 'Revenue', cell: (row) => amounts(row.amounts), isNumber: true },
      { head: 'Orders', cell: ({ orders }) => number(orders), isNumber: true },
      { head: 'Change', cell: (row) => change(row.change.orders), isNumber: true },
      { head: 'Items sold', cell: ({ items_sold }) => number(items_sold), isNumber: true, shown: 'medium' },
      { head: 'Products', cell: ({ products }) => number(products), isNumber: true, shown: 'medium' },
    ],
    rows,
    idOf: ({ seller_id }) => seller_id,
  })
}

/** A seller that leads to its view. */
export function sellerLink(sellerId: string | undefined): Node {
  return sellerId === undefined ? dash() : html`<a href=${sellerAddress(sellerId)}>${sellerId}</a>`
}

function noSeller(): Node {
  return empty(
    'No seller sold anything in this range.',
    html`Send payments to <code>POST /api/v1/orders/payment/callback</code>, or run <code>./footfall demo</code> for a small shop.`,
  )
}
