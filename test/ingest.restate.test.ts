import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { randomUUID } from 'node:crypto'
import { analyticApi, popularityApi } from '../src/contract/services.ts'
import { verify } from '../src/store/verification.ts'
import { createDatabase, type TestDatabase } from './harness/database.ts'
import { type Stack, startStack } from './harness/stack.ts'

let database: TestDatabase
let stack: Stack
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db)
})
afterAll(async () => {
  await stack.stop()
  await database.drop()
})

const event = (more: object = {}) => ({
  event_id: randomUUID(),
  occurred_at: new Date().toISOString(),
  account_id: 'a',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'p',
  ...more,
})

test('a batch sent twice is counted once', async () => {
  const interactions = [event(), event({ event_type: 'purchase' }), event({ ref_id: 'q', nonsense: 1 })]
  const client = stack.ingress.client(analyticApi)
  const first = await client.CreateInteraction({ interactions })
  expect(first).toEqual({
    accepted: 2,
    duplicates: 0,
    duplicate_indexes: [],
    rejected: [{ index: 2, code: 'invalid', field: 'nonsense', message: 'is not a field of an interaction' }],
  })
  const second = await client.CreateInteraction({ interactions })
  expect(second).toMatchObject({ accepted: 0, duplicates: 2, duplicate_indexes: [0, 1] })
  await stack.settled()
  const got = await stack.ingress.client(popularityApi).Get({ product_id: 'p' })
  expect(got).toMatchObject({ product_id: 'p', score: 1.1, view_count: 1, purchase_count: 1 })
  expect(got.trending_score).toBeCloseTo(1.1, 3)
  expect(await verify(database.db)).toMatchObject({ drift: [], events: 2 })
})
