import { Command } from 'commander'
import type { z } from 'zod'
import { type Shopper, shopperIdOf } from '../../contract/fields/shopper-id.ts'
import { ContextResponse, type RecentProduct } from '../../contract/shopper-context.ts'
import { print, printError, printJson, printTable } from '../terminal/output.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'
import { shopperArgument, shopperPath } from './shopper-argument.ts'

export function contextCommand(): Command {
  const command = new Command('context')
    .description('Show what a shopper does now: the products and categories of the current visit.')
    .argument('<shopper>', 'account:<account_id> or session:<session_id>', shopperArgument)
    .option('--json', 'print the answer as JSON')
  return withGatewayOptions(command, 'read').action(
    async (shopper: Shopper, { json, ...options }: GatewayOptions & { json?: boolean }) => {
      const { answer } = await gatewayOf(options).ask(ContextResponse, shopperPath(shopper, '/context'))
      if (json) printJson(answer)
      else printContext(shopper, answer)
    },
  )
}

function printContext(shopper: Shopper, { data, meta }: z.infer<typeof ContextResponse>): void {
  const { recent_products: products, categories, last_active: lastActive } = data
  if (lastActive === null) print(`${shopperIdOf(shopper)} is not active.`)
  else {
    print(`${shopperIdOf(shopper)}, last event ${lastActive}`)
    printTable(products.map(lineOf))
    if (categories.length > 0) print(`Categories: ${categories.map(({ category, count }) => `${category} ${count}`).join(', ')}`)
  }
  if (meta.is_partial) printError('Events may be missing, because PostgreSQL or the Redis of SHOPPER_STORE did not answer.')
}

function lineOf({ product_id: product, event_type: event, category, brand, occurred_at: at }: RecentProduct) {
  return { product, event, category: category ?? '', brand: brand ?? '', at }
}
