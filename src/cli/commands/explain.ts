import { Command } from 'commander'
import { type Explanation, ExplanationResponse } from '../../contract/explanation.ts'
import { print, printJson, printTable } from '../terminal/output.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('Show what each event type adds to the scores of a product.')
    .argument('<product>', "the shop's id of the product")
    .option('--json', 'print the answer as JSON')
  return withGatewayOptions(command, 'read').action(
    async (product: string, { json, ...options }: GatewayOptions & { json?: boolean }) => {
      const path = `/api/v1/analytic/popularity/${encodeURIComponent(product)}/explain`
      const { answer } = await gatewayOf(options).ask(ExplanationResponse, path)
      if (json) printJson(answer)
      else printExplanation(answer.data)
    },
  )
}

function printExplanation({ event_types: types, ...product }: Explanation): void {
  const { product_id: id, score, trending_score: trending } = product
  print(`${id}, as of ${product.as_of}`)
  const total = { event_type: 'sum', count: '', weight: '', score, trending_count: '', trending_score: trending }
  if (types.length > 0) printTable([...types.map((type) => ({ ...type, weight: type.weight ?? '' })), total])
  else print('No event of it was counted.')
  const { weights_version: version, half_life_hours: halfLife, trending_from: from } = product
  print(`Weights version ${version}; trending since ${from}, by half in ${halfLife} h`)
}
