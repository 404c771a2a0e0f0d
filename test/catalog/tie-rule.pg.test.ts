import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Product } from '../../src/contract/product.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { takeTieRuleIntoForce } from '../../src/store/catalog/tie-rule.ts'
import { product, storedCatalogue, textOf, upsert } from '../harness/items/products.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

/** The name of connections of the release before. */
const OLDER = 'footfall endpoint, ledger rule 2'

/** As the migration leaves a database that an older release has used, or a new one. */
async function useRule(db: Database, rule: 1 | 2): Promise<void> {
  await sql`alter table product_tie_rule disable trigger product_tie_rule_force`.execute(db)
  await sql`update product_tie_rule set rule = ${rule}, older_seen_at = now()`.execute(db)
  await sql`alter table product_tie_rule enable trigger product_tie_rule_force`.execute(db)
}

const letTimePass = (db: Database) =>
  sql`update product_tie_rule set older_seen_at = older_seen_at - interval '10 minutes'`.execute(db)

const active = product({ name: 'b', category: 'k', quantity: 4 })
const deleted = product({ name: 'a', status: 'deleted' })

test('a deleted version wins against the others of its time once rule 2 is in force, in any order and split', async ({ db }) => {
  const version = fc.constantFrom(active, deleted, { ...active, name: 'c' }, { ...deleted, seller_id: 's' })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 2),
      fc.array(version, { minLength: 1, maxLength: 5 }),
      fc.nat(5),
      async (rule, sent, cut) => {
        await sql`delete from catalog.product`.execute(db)
        await useRule(db, rule)
        await upsert(db, sent.slice(0, cut))
        await upsert(db, sent.slice(cut))
        const deletions = sent.filter(({ status }) => status === 'deleted')
        const candidates = rule === 2 && deletions.length > 0 ? deletions : sent
        expect(await storedCatalogue(db)).toEqual({ p: candidates.map(textOf).sort().at(-1) })
      },
    ),
    { numRuns: 60 },
  )
})

test('a deleted version has no column of the version before', async ({ db }) => {
  const bare: Product = product({ status: 'deleted', updated_at: '2026-03-02T12:00:00.000Z' })
  for (const sent of [
    [active, bare],
    [bare, active],
  ]) {
    await sql`delete from catalog.product`.execute(db)
    for (const one of sent) await upsert(db, [one])
    expect(await storedCatalogue(db)).toEqual({ p: textOf(bare) })
  }
})

test('rule 2 is not in force while an older process is connected, or was lately', async ({ db, database }) => {
  await useRule(db, 1)
  const older = connect({ url: database.url, name: OLDER })
  await upsert(older, [active])
  await letTimePass(db)
  expect(await takeTieRuleIntoForce(db)).toBe(false)
  await older.destroy()
  await upsert(db, [deleted])
  expect(await storedCatalogue(db)).toEqual({ p: textOf(active) })
  await letTimePass(db)
  expect(await takeTieRuleIntoForce(db)).toBe(true)
  await upsert(db, [deleted])
  expect(await storedCatalogue(db)).toEqual({ p: textOf(deleted) })
})

test('when rule 2 is in force, an older process can write no product and start no more', async ({ db, database }) => {
  await useRule(db, 1)
  const older = connect({ url: database.url, name: OLDER })
  await letTimePass(db)
  await takeTieRuleIntoForce(db, 0)
  await expect(upsert(older, [active])).rejects.toThrow('versions of products are compared by a newer rule')
  await older.destroy()
  const { rows } = await sql`select works_since from migration where name like '0031%'`.execute(db)
  expect(rows).toEqual([{ works_since: '0031' }])
  await expect(sql`update product_tie_rule set rule = 1`.execute(db)).rejects.toThrow('products cannot go from rule 2 to rule 1')
})

test('a new database begins with rule 2', async ({ db }) => {
  const { rows } = await sql`select rule from product_tie_rule`.execute(db)
  expect(rows).toEqual([{ rule: 2 }])
})
