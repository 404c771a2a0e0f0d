import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verify } from '../../src/store/verification.ts'
import type { Death } from './endpoint.ts'
import { quiet } from './quiet.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

const FAIL_POINTS = ['batch committed', 'before the answer', 'scores committed'] as const
/** A call that makes two partitions, and its counting. */
const STATEMENTS_MAX = 60
const RESEND_MS = 50

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** Sends a search until it is answered. */
async function deliver(search: object, headers: Record<string, string>): Promise<{ accepted: number; duplicates: number }> {
  for (;;) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(search) }
    const answer = await fetch(`${stack.ingressUrl}/Analytic/RecordSearch`, init).catch(() => undefined)
    if (answer?.ok) return (await answer.json()) as { accepted: number; duplicates: number }
    await sleep(RESEND_MS)
  }
}

/** A search of a month without a partition, while the endpoint is killed; then the same once more. @returns whether it was. */
async function searchAndDie(name: string, month: number, death: Death): Promise<boolean> {
  const occurred_at = new Date(Date.UTC(2016, month, 15)).toISOString()
  const search = { event_id: randomUUID(), occurred_at, query: name, product_ids: [name, `${name} too`] }
  const { died } = await stack.arm(death)
  const answers = deliver(search, { 'idempotency-key': name })
  const done = answers.then(() => quiet(stack))
  const hasDied = await Promise.race([died.then(() => true), done.then(() => false)])
  await (hasDied ? stack.revive('endpoint') : stack.disarm())
  await done
  const again = await deliver(search, {})
  const { rows } = await sql<{ shown: number; searches: number }>`
    select (select count(*)::int from search where query = ${name}) as searches, search_count::int as shown
    from product_popularity where product_id = ${name}`.execute(stack.db)
  const answered = [await answers, again].map(({ accepted, duplicates }) => [accepted, duplicates])
  expect({ name, answered, rows }).toEqual({
    name,
    answered: [
      [1, 0],
      [0, 1],
    ],
    rows: [{ searches: 1, shown: 1 }],
  })
  return hasDied
}

test('wherever the endpoint is killed, a search is recorded and counted once', { timeout: 300_000 }, async () => {
  let month = 0
  for (const point of FAIL_POINTS) {
    expect(await searchAndDie(`at ${point}`, month++, { point, passage: 1 }), `nobody came by: ${point}`).toBe(true)
  }
  const after = (passage: number) => searchAndDie(`after statement ${passage}`, month++, { point: 'statement answered', passage })
  for (let passage = 1; await after(passage); passage++) expect(passage).toBeLessThan(STATEMENTS_MAX)
  await quiet(stack)
  expect((await verify(stack.db)).drift).toEqual([])
})
