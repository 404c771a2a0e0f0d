import { sql } from 'kysely'
import { createDatabase } from '../../harness/servers/database.ts'
import { startLoad } from '../client/start-load.ts'
import { shopperOf, storeShoppers } from '../items/shoppers.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { NO_RESTATE, type ReadRun, readRunOf } from '../measure/read-run.ts'
import { interleaved, median, series } from '../measure/rounds.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const INTERACTIONS = 100
const FULL = { shoppers: { count: 1_000, interactions: [INTERACTIONS], products: 100_000 }, seconds: 4, rounds: 5 }
const QUICK = { shoppers: { ...FULL.shoppers, count: 5, products: 1_000 }, seconds: 0.2, rounds: 1 }
const LISTS = 200
const P99_MS_MAX = 10

/** Lists of 10, 100 and 500 items, of shoppers with 100 interactions of whom nearly all are active now. */
export function rerank(isQuick: boolean): Promise<RowResult> {
  const { shoppers, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeShoppers(db, shoppers)
    await sql`
      insert into product_popularity (product_id, interaction_count, score_micros, trending, view_count, purchase_count, favorite_count,
        cart_count, review_count, search_click_count, last_interaction, date_updated)
      select product_id, ascii(product_id), 0, 0, 0, 0, 0, 0, 0, 0, now(), now() from catalog.product`.execute(db)
    // The last minutes of a visit, in the order that they have.
    await sql`
      update shopper_recent r set occurred_at = now() - place * interval '10 seconds' from (
        select shopper_id, event_id, row_number() over (partition by shopper_id order by occurred_at desc) as place from shopper_recent) p
      where r.shopper_id = p.shopper_id and r.event_id = p.event_id and place <= 60`.execute(db)
    await sql`vacuum (analyze)`.execute(db)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
    const load = stopAtEnd(startLoad())
    const url = `${gateway.url}/api/v1/rerank`
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: listOf(500, shopperOf(INTERACTIONS, 1), shoppers),
    })
    if (!answer.ok) throw new Error(`rerank answers ${answer.status}: ${await answer.text()}`)
    const way = (items: number, connections: number) => async () => {
      const bodies = Array.from({ length: LISTS }, (_, n) =>
        listOf(items, shopperOf(INTERACTIONS, 1 + (n % shoppers.count)), shoppers),
      )
      const go = await load.prepare({ kind: 'repeat', url, bodies, connections, secondsMax: seconds })
      return readRunOf(await go())
    }
    const runs = await interleaved(
      {
        few: way(10, 8),
        some: way(100, 8),
        many: way(500, 8),
        fewAlone: way(10, 1),
        someAlone: way(100, 1),
        manyAlone: way(500, 1),
      },
      rounds,
    )
    return {
      claims: [
        claimOf(10, runs.few, runs.fewAlone),
        claimOf(100, runs.some, runs.someAlone),
        { ...claimOf(500, runs.many, runs.manyAlone), target: { max: P99_MS_MAX } },
      ],
      measured: { runs },
    }
  })
}

/** A list of products by the power law of the shoppers' interactions. */
function listOf(items: number, shopperId: string, { products }: { products: number }): string {
  const product_id = () => String(1 + Math.floor(products * Math.random() ** 3))
  const list = Array.from({ length: items }, () => ({ product_id: product_id(), score: Math.random() }))
  return JSON.stringify({ account_id: shopperId.slice('account:'.length), items: list })
}

function claimOf(items: number, runs: readonly ReadRun[], alone: readonly ReadRun[]): Claim {
  const latencyOf = (some: readonly ReadRun[], part: 'p50' | 'p99') => median(series(some, (run) => run.latency[part]))
  const perSecond = (some: readonly ReadRun[]) => formatted(median(series(some, (run) => run.perSecond)))
  return {
    what: `reranking ${items} items, one connection: p99`,
    measured: latencyOf(alone, 'p99'),
    unit: 'ms',
    detail: `p50 ${formatted(latencyOf(alone, 'p50'))} ms, ${perSecond(alone)} answers/s; 8 connections: p50 ${formatted(latencyOf(runs, 'p50'))} ms, p99 ${formatted(latencyOf(runs, 'p99'))} ms, ${perSecond(runs)} answers/s`,
  }
}
