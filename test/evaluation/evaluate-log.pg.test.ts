import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import { evaluateCommand } from '../../src/cli/commands/evaluate.ts'
import { jsonOf } from '../../src/cli/evaluate/output.ts'
import type { EvaluationPlan } from '../../src/cli/evaluate/plan.ts'
import { readShop } from '../../src/cli/evaluate/read-shop.ts'
import { runEvaluation } from '../../src/cli/evaluate/run.ts'
import { actor } from '../../src/cli/terminal/actor.ts'
import { RANKING_DEFAULTS, type RankingSettings, rankingOf } from '../../src/ranking/similarity/ranking-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { listRankingSettings, promoteRankingSettings } from '../../src/store/similarity/ranking-settings.ts'
import { runCommand } from '../harness/programs/command.ts'
import { interaction, record } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

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
  const shop = () => readShop(db, { eventsMax: 1_000_000, botEventsPerDay: 50, onRead: () => undefined })
  const { attributes, products, parts } = await shop()
  expect(attributes.get('p1')).toEqual(['category:home', 'category:home/lamps', 'brand:Lumo'])
  expect(products).toHaveLength(10)
  expect(parts[0]!.product.length).toBe(150)
  const evaluation = await runEvaluation(await planOf(), () => undefined, shop)
  expect(jsonOf(evaluation)).toMatchObject({ protocol: 'time-split', events: 150, hr_at_10: 1 })
  expect((jsonOf(evaluation) as { ndcg_at_10: number }).ndcg_at_10).toBeGreaterThan(0.7)
})

test('events of an instant have one time, and the order of their ids', async ({ db }) => {
  await clear(db)
  const at = Date.now() - HOUR_MS
  const idOf = (n: number) => `0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b1${n}`
  const bought = (refId: string, n: number, occurredAtMs: number) =>
    interaction({ accountId: 'ada', eventType: 'purchase', refId, eventId: idOf(n), occurredAtMs })
  await record(db, [bought('b', 3, at), bought('c', 1, at), bought('a', 2, at + 1), bought('d', 2, at)])
  const { products, parts } = await readShop(db, { eventsMax: 10, botEventsPerDay: 50, onRead: () => undefined })
  const { product: numbers, time } = parts[0]!
  expect(Array.from(numbers, (number) => products[number])).toEqual(['c', 'd', 'b', 'a'])
  expect([...time!]).toEqual([at, at, at, at + 1])
})

describe('--tune --save', () => {
  const evaluate = (database: { url: string }, ...args: string[]) =>
    runCommand(evaluateCommand(), [...args, '--workers', '1', '--json'], { DATABASE_URL: database.url })

  /**
   * Shoppers begin with one of ten products that decides all others, and go on with products of all: only the oldest event of a history says
   * what comes next.
   */
  async function recordOldTastes(db: Database): Promise<void> {
    const now = Date.now()
    const common = ['x', 'y', 'z', 'v', 'w']
    const events = Array.from({ length: 120 }, (_, shopper) =>
      [`first${shopper % 10}`, ...common.map((_, at) => common[(at + shopper) % 5]!), `last${shopper % 10}`].map((refId, step) =>
        interaction({
          accountId: `a${shopper}`,
          refId,
          eventType: 'view',
          occurredAtMs: now - (1_000 - shopper * 7 - step) * MINUTE_MS,
        }),
      ),
    ).flat()
    await record(db, events)
  }

  test('better settings are stored with their evidence, and not in force', async ({ db, database }) => {
    await clear(db)
    await recordOldTastes(db)
    const { code, text } = await evaluate(database, '--tune', '--save', '--k', '1,10', '--seed', '5')
    expect([code, text.slice(0, 1)]).toEqual([0, '{'])
    const { saved_settings_version: saved, trials } = JSON.parse(text) as { saved_settings_version: number; trials: Trial[] }
    const { settings } = await listRankingSettings(db, { limit: 10, offset: 0 })
    const [stored] = settings
    expect(stored).toMatchObject({ settings_version: saved, is_in_force: false, source: 'tuned', made_by: actor() })
    const { before, after, ...evidence } = stored!.evidence!
    expect(evidence).toMatchObject({ data: 'log', protocol: 'time-split', seed: 5, events: 840, k: 1, bounds: { window: 20 } })
    expect(before.settings).toEqual(RANKING_DEFAULTS)
    expect(after.ndcg).toBeGreaterThan(before.ndcg * 1.02)
    const tried = trials.find((trial) => trial.method === 'cooccurrence' && trial.ndcg === after.ndcg)!
    expect(rankingOf(tried.settings)).toEqual(stored!.settings)
    expect(tried.hr).toBe(after.hr)

    // Promoted, they are what the next evaluation of the log begins with.
    await promoteRankingSettings(db, { settings_version: saved, actor: 'ada' })
    const again = JSON.parse((await evaluate(database, '--method', 'cooccurrence')).text) as Trial
    expect(rankingOf(again.settings)).toEqual(stored!.settings)
    const changed = JSON.parse((await evaluate(database, '--set', 'alpha=0.1')).text) as Trial
    expect(rankingOf(changed.settings)).toEqual({ ...stored!.settings, alpha: 0.1 })
  })

  test('nothing is stored when nothing is better, also for a file', async ({ db, database }) => {
    await clear(db)
    const folder = await mkdtemp(join(tmpdir(), 'footfall-test-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'ring.txt')
    const line = (shopper: number) => Array.from({ length: 5 }, (_, step) => `p${(shopper + step) % 20}`).join(' ')
    await writeFile(path, Array.from({ length: 40 }, (_, shopper) => `u${shopper} ${line(shopper)}`).join('\n'))
    const { code, text } = await evaluate(database, path, '--tune', '--save', '--method', 'cooccurrence')
    expect(code).toBe(0)
    expect(JSON.parse(text)).toMatchObject({ saved_settings_version: null })
    expect((await listRankingSettings(db, { limit: 10, offset: 0 })).total).toBe(1)
  })
})

interface Trial {
  method: string
  settings: RankingSettings
  ndcg: number
  hr: number
}
