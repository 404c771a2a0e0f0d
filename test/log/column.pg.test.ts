import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { columnOf, textArrayOf } from '../../src/store/database/column.ts'
import { pgTest as test } from '../harness/fixtures.ts'

// PostgreSQL has no text with the character 0.
const TEXT = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'NULL', 'null', '{}', '{', ',', '"', '\\', '\\"', ' a ', '\n'))
  .map((text) => text.replaceAll('\0', ''))

test('PostgreSQL reads a column as the values that it was made of', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.option(TEXT), fc.option(fc.integer()), fc.option(fc.boolean()))), async (rows) => {
      const { rows: read } = await sql<{ t: string | null; n: number | null; b: boolean | null }>`
        select t, n, b from unnest(${columnOf(rows, (_row) => 0)}::int[], ${columnOf(rows, ([t]) => t)}::text[],
          ${columnOf(rows, ([, n]) => n)}::int[], ${columnOf(rows, ([, , b]) => b)}::boolean[]) as c (i, t, n, b)`.execute(db)
      expect(read.map(({ t, n, b }) => [t, n, b])).toEqual(rows)
    }),
    { numRuns: 200 },
  )
})

test('PostgreSQL reads texts as the list that they were', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(TEXT), async (texts) => {
      const { rows } = await sql<{ list: string[] }>`select ${textArrayOf(texts)}::text[] as list`.execute(db)
      expect(rows[0]!.list).toEqual(texts)
    }),
    { numRuns: 100 },
  )
})
