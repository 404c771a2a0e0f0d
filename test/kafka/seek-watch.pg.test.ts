import { expect } from 'vitest'
import { createPositions } from '../../src/consumer/positions.ts'
import { createSeekLook } from '../../src/consumer/seek-watch.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { moveOffsets, readOffsets, seek } from '../../src/store/kafka/offset.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

const PLACE = { topic: 'product.updated', partition: 0 }

async function consumerOf(db: Database) {
  const positions = createPositions()
  positions.assign(await readOffsets(db, [{ ...PLACE, next: 0n }]))
  const look = createSeekLook(db, positions)
  /** Commits, and returns what the consumer does next. */
  const store = async (next: bigint) => {
    const moves = positions.movesFor([{ ...PLACE, offset: next - 1n }])
    await db.transaction().execute((tx) => moveOffsets(tx, moves))
    return () => positions.moved(moves)
  }
  return { look, store }
}

test('an offset that an operator moves is found by the second look, also by a consumer that stores nothing', async ({ db }) => {
  const { look, store } = await consumerOf(db)
  ;(await store(5n))()
  expect(await look()).toBeUndefined()
  await seek(db, { ...PLACE, next: 0n }, 'ada')
  expect(await look()).toBeUndefined()
  expect((await look())?.message).toBe('the offsets are no longer those of this consumer: product.updated/0 at 5')
})

test('what a consumer stores itself is no move, and neither is another partition', async ({ db }) => {
  const { look, store } = await consumerOf(db)
  await seek(db, { ...PLACE, partition: 1, next: 7n }, 'ada')
  for (let next = 1n; next <= 5n; next++) {
    const known = await store(next)
    // Between the commit and the positions.
    expect(await look()).toBeUndefined()
    known()
  }
  expect(await look()).toBeUndefined()
})
