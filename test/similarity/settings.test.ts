import { expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { versionBoundsOf } from '../../src/main/config/similarity.ts'
import { VERSION_DEFAULTS } from '../../src/ranking/similarity/version-settings.ts'

const boundsOf = (environment: Record<string, string>) => versionBoundsOf(readConfig(environment))

test('the bounds of a version are the defaults of the ranking when none is set', () => {
  expect(boundsOf({})).toEqual(VERSION_DEFAULTS)
})

test.for([
  ['SIMILARITY_SHOPPER_EVENTS_MAX', 'shopperEventsMax', 2, 10_000],
  ['SIMILARITY_PRODUCT_EVENTS_MAX', 'productEventsMax', 10, 100_000],
  ['SIMILARITY_WINDOW', 'window', 1, 1_000],
  ['SIMILARITY_NEIGHBOURS_MAX', 'neighboursMax', 1, 250],
  ['SIMILARITY_BOT_EVENTS_PER_DAY', 'botEventsPerDay', 10, 1_000_000],
  ['SIMILARITY_EVENTS_MAX', 'eventsMax', 1_000, 1_000_000_000],
  ['SIMILARITY_PRODUCTS_MAX', 'productsMax', 100, 1_000_000],
  ['SIMILARITY_BASKET_PRODUCTS_MAX', 'basketProductsMax', 2, 1_000],
  ['SIMILARITY_BOUGHT_MAX', 'boughtMax', 1, 100],
] as const)('%s sets %s, from %i to %i, and the start is refused beyond', ([name, field, min, max]) => {
  for (const value of [min, max]) expect(boundsOf({ [name]: String(value) })).toEqual({ ...VERSION_DEFAULTS, [field]: value })
  const refused: [value: string | number, problem: string][] = [
    [min - 1, `at least ${min}`],
    [max + 1, `at most ${max}`],
    [min + 0.5, 'a whole number'],
    ['many', 'a number'],
  ]
  for (const [value, problem] of refused) {
    expect(() => boundsOf({ [name]: String(value) })).toThrow(`Change these environment variables: ${name} must be ${problem}`)
  }
})
