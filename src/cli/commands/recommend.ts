import { Command, InvalidArgumentError, Option } from 'commander'
import { type Shopper, shopperIdOf, shopperOf } from '../../contract/fields/shopper-id.ts'
import { type Blend, BLENDS, type RecommendResponse } from '../../contract/recommendation.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { readConfig } from '../../main/config/config.ts'
import { askRecommendations, namesOf } from '../recommend/ask-gateway.ts'
import { linesOf } from '../recommend/lines.ts'
import { printJson, printStyled } from '../terminal/output.ts'
import { gatewayUrl } from './gateway-url.ts'
import { wholeNumber } from './whole-number.ts'

interface Options {
  limit: number
  explain?: boolean
  blend?: Blend
  json?: boolean
  gateway?: string
  key?: string
}

export function recommendCommand(): Command {
  return new Command('recommend')
    .description('Show what a running Footfall recommends to a shopper, and why.')
    .argument('<shopper>', 'account:<account_id> or session:<session_id>', shopper)
    .option('-n, --limit <count>', 'number of products, 1 to 100', wholeNumber(1, 100), 10)
    .option('--explain', 'also the sum that each score is, line by line')
    .addOption(new Option('--blend <name>', 'how scores are made (default: RECOMMENDATION_BLEND)').choices(BLENDS))
    .option('--json', 'print the answer of the gateway as JSON')
    .option('--gateway <url>', 'address of the gateway (default: the gateway of npm start)', gatewayUrl)
    .addOption(new Option('--key <key>', 'an API key with the scope read, once there are keys').env('FOOTFALL_KEY'))
    .action(async (of: Shopper, { limit, explain: explains = false, blend, json, ...options }: Options) => {
      const url = options.gateway ?? addressesOf(readConfig(process.env)).gatewayUrl
      const gateway = { url, key: options.key === '' ? undefined : options.key }
      const answer = await askRecommendations(gateway, { shopper: of, limit, blend, explains })
      if (json) return printJson(answer)
      const names = await namesOf(gateway, productsOf(answer))
      printStyled(linesOf(shopperIdOf(of), answer, (id) => names.get(id) ?? id))
    })
}

function shopper(text: string): Shopper {
  const found = shopperOf(text)
  if (found === undefined) throw new InvalidArgumentError('It is account:<account_id> or session:<session_id>.')
  return found
}

/** All products that the answer names. */
function productsOf({ data }: RecommendResponse): string[] {
  return data.flatMap(({ product_id: id, reasons }) => [
    id,
    ...(reasons?.shares ?? []).flatMap((share) => ('product_id' in share ? [share.product_id] : [])),
  ])
}
