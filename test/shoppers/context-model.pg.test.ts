import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { Shopper } from '../../src/contract/fields/shopper-id.ts'
import { contextOf, type ContextSettings } from '../../src/ranking/shopper-context.ts'
import type { ShopperEvent } from '../../src/ranking/shopper-event.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { recentEventsOf } from '../../src/store/shoppers/shopper-recent.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { shopperIdsOf } from '../../src/store/shoppers/shopper-redirect.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { referenceContext } from '../harness/reference/shopper-context.ts'
import { clear } from '../harness/servers/database.ts'

const MINUTE_MS = 60_000
const SETTINGS: ContextSettings = { idleMs: 15 * MINUTE_MS, productsMax: 5 }
const SHOPPERS: Shopper[] = [
  ...['ada', 'bea'].map((id) => ({ kind: 'account' as const, id })),
  ...['s1', 's2', 's3'].map((id) => ({ kind: 'session' as const, id })),
]

type Step =
  | { do: 'track'; by: Shopper; count: number; agoMs: number }
  | { do: 'resend' }
  | { do: 'wait'; ms: number }
  | { do: 'merge'; session: string; account: string }

const track = fc.record({
  do: fc.constant('track' as const),
  by: fc.constantFrom(...SHOPPERS),
  count: fc.integer({ min: 1, max: 40 }),
  agoMs: fc.integer({ min: -5 * MINUTE_MS, max: 40 * MINUTE_MS }),
})
const merge = fc.record({
  do: fc.constant('merge' as const),
  session: fc.constantFrom('s1', 's2', 's3'),
  account: fc.constantFrom('ada', 'bea'),
})
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: track },
  { weight: 1, arbitrary: fc.constant({ do: 'resend' as const }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 * MINUTE_MS }).map((ms) => ({ do: 'wait' as const, ms })) },
  { weight: 2, arbitrary: merge },
)

/** What a list of events, a map of sessions and a clock know. */
interface Model {
  nowMs: number
  sent: NewInteraction[]
  accountOf: Map<string, string>
}

/** The events of a person: of the account and its sessions, or of a session alone. */
function eventsIn({ sent, accountOf }: Model, { kind, id }: Shopper): ShopperEvent[] {
  const account = kind === 'account' ? id : accountOf.get(id)
  const isOfPerson = ({ accountId, sessionId }: NewInteraction) =>
    account === undefined ? sessionId === id : accountId === account || accountOf.get(sessionId ?? '') === account
  return sent.filter(isOfPerson).map(({ eventId, occurredAtMs, refId: productId, eventType }) => ({
    eventId,
    occurredAtMs,
    productId,
    eventType,
  }))
}

async function take(db: Database, model: Model, one: Step): Promise<void> {
  if (one.do === 'wait') model.nowMs += one.ms
  else if (one.do === 'resend') await feedBatch(db, await record(db, model.sent.slice(0, 20)))
  else if (one.do === 'merge') {
    if (!model.accountOf.has(one.session)) model.accountOf.set(one.session, one.account)
    await mergeSession(db, { session_id: one.session, account_id: one.account, asked_at_ms: model.nowMs })
  } else {
    const { kind, id } = one.by
    const events = Array.from({ length: one.count }, (_, index) =>
      interaction({
        eventId: randomUUID(),
        refId: `p${(index + one.count) % 9}`,
        occurredAtMs: model.nowMs - one.agoMs - index * 10_000,
        accountId: kind === 'account' ? id : null,
        sessionId: kind === 'session' ? id : null,
      }),
    )
    model.sent.push(...events)
    await feedBatch(db, await record(db, events))
  }
}

test('after any steps (track, resend, wait, merge) every shopper has the context of the reference', async ({ db, proofs }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 25, size: 'max' }), async (steps) => {
      await clear(db)
      const model: Model = { nowMs: Date.now(), sent: [], accountOf: new Map() }
      for (const one of steps) {
        await take(db, model, one)
        for (const shopper of SHOPPERS) {
          const events = await recentEventsOf(db, await shopperIdsOf(db, shopper))
          const context = contextOf(events, model.nowMs, SETTINGS)
          const expected = referenceContext(eventsIn(model, shopper), model.nowMs, SETTINGS)
          expect({ shopper, context }).toEqual({ shopper, context: expected })
        }
      }
      expect((await verify(proofs)).drift).toEqual([])
    }),
    { numRuns: 20 },
  )
})
