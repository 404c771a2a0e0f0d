import { createHash, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { callOf } from '../../src/store/log/call.ts'
import type { RecordedBatchResult } from '../../src/store/log/batch.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { clear } from '../harness/servers/database.ts'
import { differences, expectedCells, rulesInForce, storedCells } from '../harness/reference/cells.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordBatch } from '../harness/items/events.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000

/**
 * Few products, shoppers and hours, so that batches collide; ages from now to before the window, in few other months, because each
 * is a partition that every statement plans for.
 */
const eventArbitrary: fc.Arbitrary<NewInteraction> = fc
  .record({
    eventId: fc.nat({ max: 60 }).map((n) => uuidOf(n)),
    ageMs: fc.oneof(
      fc.nat({ max: 3 * HOUR_MS }),
      fc.nat({ max: 8 * 24 * HOUR_MS }),
      fc.constantFrom(167, 168, 169).map((hours) => hours * HOUR_MS),
      fc.constantFrom(20, 45, 200, 400).map((days) => days * 24 * HOUR_MS),
    ),
    eventType: fc.oneof(fc.constantFrom(...Object.keys(PRESETS.balanced)), fc.constantFrom('view', 'unheard_of')),
    refType: fc.constantFrom('Product' as const, 'Product' as const, 'Product' as const, 'Category' as const),
    refId: fc.constantFrom('a', 'b', 'c', 'Ünïcode 🛒', "it's"),
    account: fc.option(fc.constantFrom('x', 'y')),
    session: fc.constantFrom('s', 't'),
  })
  .map(({ ageMs, account, session, ...rest }) => ({
    ...rest,
    index: 0,
    item: {},
    occurredAtMs: NOW_MS - ageMs,
    accountId: account,
    accountNumber: null,
    sessionId: session,
    ipAddress: null,
    userAgent: null,
    metadata: undefined,
  }))

/** Events with the same identity are the same event. */
function uuidOf(n: number): string {
  const hex = createHash('sha256').update(String(n)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

interface Plan {
  batches: NewInteraction[][]
  attempts: number
}

const planArbitrary: fc.Arbitrary<Plan> = fc
  .uniqueArray(eventArbitrary, { minLength: 1, maxLength: 50, selector: (event) => event.eventId })
  .chain((events) =>
    fc.record({
      // Every event once or more, in any order; repeats are within batches and between them.
      batches: fc
        .tuple(
          fc.array(fc.nat({ max: events.length - 1 }), { maxLength: 60 }),
          fc.shuffledSubarray([...events.keys()], { minLength: events.length }),
          fc.infiniteStream(fc.integer({ min: 1, max: 15 })),
        )
        .map(([extra, all, sizes]) =>
          split([...extra, ...all], sizes).map((part) => part.map((n, index) => ({ ...events[n]!, index }))),
        ),
      attempts: fc.integer({ min: 1, max: 3 }),
    }),
  )

function split(numbers: number[], sizes: Iterator<number>): number[][] {
  const parts: number[][] = []
  for (let rest = numbers; rest.length > 0;) {
    const size = Number(sizes.next().value)
    parts.push(rest.slice(0, size))
    rest = rest.slice(size)
  }
  return parts
}

test.for([1, 8])(
  "any split, order, repetition and overlap of batches gives the distinct events' aggregates, in %i lanes",
  { timeout: 120_000 },
  async (lanes, { db, proofs }) => {
    await changeLanes(db, lanes)
    const rules = await rulesInForce(db)
    await fc.assert(
      fc.asyncProperty(planArbitrary, async ({ batches, attempts }) => {
        await clear(db)
        const answers = await Promise.all(batches.map((batch) => recordWithRepeats(db, batch, attempts)))
        await Promise.all(
          answers.flatMap((answer) =>
            Array.from({ length: attempts }, (_, attempt) => {
              // Without events that count as few, each transaction works in one lane.
              const options = { lightEvents: attempt === 0 ? 0 : 100 }
              return [countBatch(db, answer, options), feedBatch(db, answer, options)]
            }).flat(),
          ),
        )
        const distinct = [...new Map(batches.flat().map((event) => [event.eventId, event])).values()]
        expect(answers.reduce((sum, answer) => sum + answer.accepted, 0)).toBe(distinct.length)
        for (const [n, answer] of answers.entries())
          expect(answer.accepted + answer.duplicateIndexes.length).toBe(batches[n]!.length)
        expect(differences(await storedCells(db), expectedCells(distinct, rules))).toEqual([])
        expect((await verify(proofs)).drift).toEqual([])
      }),
      { numRuns: 12 },
    )
  },
)

/** Concurrent attempts of one call, as of one invocation. All must answer the same, and one is new. */
async function recordWithRepeats(db: Database, batch: NewInteraction[], attempts: number): Promise<RecordedBatchResult> {
  const call = callOf(randomUUID(), Buffer.from('body'))
  const answers = await Promise.all(Array.from({ length: attempts }, () => recordBatch(db, call, batch, [])))
  for (const answer of answers) expect({ ...answer, isNew: true }).toEqual({ ...answers[0], isNew: true })
  expect(answers.filter((answer) => answer.isNew)).toHaveLength(1)
  return answers[0]!
}
