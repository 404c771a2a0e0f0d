import { expect, test } from 'vitest'
import { createCatalogEntries } from '../../src/gateway/caching/catalog-entries.ts'
import type { CatalogEntry } from '../../src/store/catalog/catalog-entry.ts'

/** A catalog that notes what it was asked for. */
function catalogOf(products: Record<string, CatalogEntry>) {
  const clock = { ms: 0 }
  const asked: string[][] = []
  const state = { isAway: false }
  const entries = createCatalogEntries(
    async (ids) => {
      asked.push([...ids])
      if (state.isAway) throw new Error('away')
      return new Map(ids.flatMap((id) => (products[id] === undefined ? [] : [[id, products[id]] as const])))
    },
    () => clock.ms,
  )
  return { entries, asked, clock, state }
}

const LIGHTS = { category: 'lights', brand: 'Glow' }

test('products that are asked for together are read together, each once', async () => {
  const { entries, asked } = catalogOf({ lamp: LIGHTS })
  expect(entries.known('lamp')).toBeUndefined()
  const answers = await Promise.all(['lamp', 'desk', 'lamp'].map((id) => entries.load(id)))
  expect(answers).toEqual([LIGHTS, {}, LIGHTS])
  expect(asked).toEqual([['lamp', 'desk']])
  expect(entries.known('lamp')).toEqual(LIGHTS)
  expect(entries.known('desk')).toEqual({})
  expect(asked).toHaveLength(1)
})

test('a read has at most 1,000 products, and no more than 10,000 wait', async () => {
  const { entries, asked } = catalogOf({})
  const answers = await Promise.all(Array.from({ length: 10_500 }, (_, number) => entries.load(`p${number}`)))
  expect(asked.map(({ length }) => length)).toEqual(Array(10).fill(1_000))
  expect(answers.filter((answer) => answer === undefined)).toHaveLength(500)
})

test('while the database is away what is known stays, and what is not is asked for again', async () => {
  const { entries, asked, clock, state } = catalogOf({ lamp: LIGHTS, desk: { category: 'office' } })
  await entries.load('lamp')
  state.isAway = true
  clock.ms = 61_000
  expect(await entries.load('lamp')).toEqual(LIGHTS)
  expect(await entries.load('desk')).toBeUndefined()
  expect(entries.known('lamp')).toEqual(LIGHTS)
  state.isAway = false
  expect(await entries.load('desk')).toEqual({ category: 'office' })
  expect(asked.length).toBeGreaterThanOrEqual(3)
})

test('an entry of more than a minute is read again in the background', async () => {
  const products: Record<string, CatalogEntry> = { lamp: LIGHTS }
  const { entries, clock } = catalogOf(products)
  await entries.load('lamp')
  products['lamp'] = { category: 'lamps' }
  clock.ms = 60_000
  expect(entries.known('lamp')).toEqual(LIGHTS)
  clock.ms = 60_001
  expect(entries.known('lamp')).toEqual(LIGHTS)
  // The next read of another product comes after it.
  await entries.load('desk')
  expect(entries.known('lamp')).toEqual({ category: 'lamps' })
})
