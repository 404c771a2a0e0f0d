import { expect } from 'vitest'
import { evaluateCommand } from '../../src/cli/commands/evaluate.ts'
import { jsonOf } from '../../src/cli/evaluate/output.ts'
import type { EvaluationPlan } from '../../src/cli/evaluate/plan.ts'
import { readShop } from '../../src/cli/evaluate/read-shop.ts'
import { runEvaluation } from '../../src/cli/evaluate/run.ts'
import { interaction, record } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const HOUR_MS = 3_600_000

async function planOf(...args: string[]): Promise<EvaluationPlan> {
  let planned: EvaluationPlan | undefined
  await evaluateCommand(async (plan) => void (planned = plan)).parseAsync(['node', 'evaluate', ...args, '--workers', '1'])
  return planned!
}

test('the log is split by time, in the order of its events, without robots', async ({ db }) => {
  await clear(db)
  const now = Date.now()
  // Shoppers go from one product to the next, an hour apart.
  const events = Array.from({ length: 30 }, (_, shopper) =>
    Array.from({ length: 5 }, (_, step) =>
      interaction({
        accountId: `a${shopper}`,
        refId: `p${(shopper + step) % 10}`,
        eventType: 'view',
        occurredAtMs: now - (40 - shopper - step) * HOUR_MS,
      }),
    ),
  ).flat()
  const robot = Array.from({ length: 60 }, () =>
    interaction({ accountId: 'robot', refId: 'p9', eventType: 'view', occurredAtMs: now - HOUR_MS }),
  )
  await record(db, [...events, ...robot])
  await upsert(db, [product({ product_id: 'p1', category: 'home/lamps', brand: 'Lumo' })])
  const shop = () => readShop(db, { botEventsPerDay: 50, onRead: () => undefined })
  const { attributes, products, parts } = await shop()
  expect(attributes.get('p1')).toEqual(['category:home', 'category:home/lamps', 'brand:Lumo'])
  expect(products).toHaveLength(10)
  expect(parts[0]!.product.length).toBe(150)
  const evaluation = await runEvaluation(await planOf(), () => undefined, shop)
  expect(jsonOf(evaluation)).toMatchObject({ protocol: 'time-split', events: 150, hr_at_10: 1 })
  expect((jsonOf(evaluation) as { ndcg_at_10: number }).ndcg_at_10).toBeGreaterThan(0.7)
})
