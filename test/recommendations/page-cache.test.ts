import { expect, test } from 'vitest'
import type { ProductFacts } from '../../src/ranking/recommend/facts.ts'
import { createPageCache } from '../../src/store/recommendations/page-cache.ts'

const FACTS: ProductFacts = {
  ...{ category: 'lamps', brand: undefined, sellerId: undefined, price: 100, currency: 'EUR', quantity: 3 },
  ...{ status: 'active', trending: 0, overall: 0, isNew: false },
}

/** Pages of products whose facts a test changes. */
function pagesOf(keepMs = { personal: 60_000, popular: 60_000 }) {
  const now = new Map([['lamp', FACTS]])
  let made = 0
  const pages = createPageCache({
    facts: { read: async () => now, lastByPlace: () => () => undefined },
    keepMs,
  })
  const ask = async (question: string) => {
    const [product] = await pages.pageFor(question, 'personal', async () => {
      made += 1
      return { data: [{ product_id: 'lamp', score: made, rank: 1 }], standsOn: [['lamp', now.get('lamp')]] }
    })
    return product!.score
  }
  return { ask, now }
}

test('a page is kept for its question', async () => {
  const { ask } = pagesOf()
  expect([await ask('a'), await ask('a'), await ask('b'), await ask('a')]).toEqual([1, 1, 2, 1])
})

test('a page is made again when what is known of a product has changed, or nothing is known any more', async () => {
  const { ask, now } = pagesOf()
  await ask('a')
  now.set('lamp', { ...FACTS, status: 'hidden' })
  expect([await ask('a'), await ask('a')]).toEqual([2, 2])
  now.delete('lamp')
  expect([await ask('a'), await ask('a')]).toEqual([3, 3])
})

test('nothing is kept when no age is allowed', async () => {
  const { ask } = pagesOf({ personal: 0, popular: 60_000 })
  expect([await ask('a'), await ask('a')]).toEqual([1, 2])
})

test('beyond 80,000 products the oldest pages are dropped', async () => {
  const facts = new Map([['lamp', FACTS]])
  const pages = createPageCache({
    facts: { read: async () => facts, lastByPlace: () => () => undefined },
    keepMs: { personal: 60_000, popular: 60_000 },
  })
  const standsOn = Array.from({ length: 30_000 }, () => ['lamp', FACTS] as const)
  const made: string[] = []
  const ask = (question: string) =>
    pages.pageFor(question, 'personal', async () => {
      made.push(question)
      return { data: [], standsOn }
    })
  for (const question of ['a', 'b', 'c', 'c', 'b', 'a', 'c']) await ask(question)
  expect(made).toEqual(['a', 'b', 'c', 'a'])
})

test('of pages without products, 80,000 are kept', async () => {
  const pages = createPageCache({
    facts: { read: async () => new Map(), lastByPlace: () => () => undefined },
    keepMs: { personal: 60_000, popular: 60_000 },
  })
  let made = 0
  const ask = (question: number) =>
    pages.pageFor(String(question), 'personal', async () => {
      made += 1
      return { data: [], standsOn: [] }
    })
  for (let question = 0; question <= 80_000; question++) await ask(question)
  await ask(80_000)
  await ask(1)
  expect(made).toBe(80_001)
  await ask(0)
  expect(made).toBe(80_002)
})
