import { Command } from 'commander'
import type { Popularity } from '../../contract/popularity.ts'
import { topByScore } from '../../store/popularity/top-list.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { wholeNumber } from './whole-number.ts'
import { print, printJson, printTable } from '../terminal/output.ts'

export function topCommand(): Command {
  return new Command('top')
    .description('Show the products with the highest scores.')
    .option('-n, --limit <count>', 'number of products, 1 to 100', wholeNumber(1, 100), 10)
    .option('--json', 'as JSON')
    .action(async (options: { limit: number; json?: boolean }) => {
      await withDatabase(readConfig(process.env), { name: 'footfall top', readOnly: true }, async (db) => {
        const { data } = await topByScore(db, { limit: options.limit, after: undefined })
        if (options.json) printJson(data)
        else if (data.length === 0) print('Nothing is counted yet.')
        else printTable(data.map(toLine))
      })
    })
}

function toLine({ product_id, score, trending_score, view_count, cart_count, purchase_count }: Popularity) {
  const trending = Number(trending_score.toFixed(3))
  return { product_id, score, trending, views: view_count, carts: cart_count, purchases: purchase_count }
}
