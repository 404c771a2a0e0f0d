import { sql } from 'kysely'
import { expect } from 'vitest'
import { analyticApi } from '../../src/contract/services.ts'
import { refusalOf } from '../../src/ingress/refusal.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { ask, INGEST, makeKeys, type TestKeys } from '../harness/items/keys.ts'

let keys: TestKeys
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
})
test.beforeEach(async ({ db }) => {
  await sql`truncate rejected_interaction`.execute(db)
})

/** An invalid item of about so many bytes. `name` is how it is found again. */
const wrong = (name: string, bytes: number) => ({ ...right(name), nonsense: 'x'.repeat(bytes) })
const right = (name: string) => ({ session_id: name, event_type: 'view', ref_type: 'Product', ref_id: 'lamp' })
const body = (...interactions: unknown[]) => JSON.stringify({ interactions })

const kept = async (db: Database) => {
  const { rows } = await sql<{ name: string; bytes: number; from: number | null; id: string }>`
    select substring(item from 'session_id":"([^"]*)') as name, octet_length(item) as bytes, cut_from_bytes as from, batch_id as id
    from rejected_interaction order by 1`.execute(db)
  return rows
}

test('large rejected items of publishable keys are cut, and of secret keys kept whole, also in one flush', async ({
  db,
  gateway,
}) => {
  const requests = Array.from({ length: 12 }, (_, n) => {
    const name = `${n % 2 === 0 ? 'page' : 'service'} ${String(n).padStart(2, '0')}`
    return ask(gateway.url, {
      key: n % 2 === 0 ? keys.shop : keys.ingest,
      body: body(right(name), wrong(`${name} small`, 100), wrong(`${name} large`, 40_000), right(name)),
      // Some are calls of their own, and some are not waited for.
      headers: { ...(n % 3 === 1 && { 'idempotency-key': name }), ...(n % 4 === 2 && { prefer: 'respond-async' }) },
    })
  })
  for (const { status } of await Promise.all(requests)) expect([200, 202]).toContain(status)
  await expect.poll(async () => (await kept(db)).length, { timeout: 30_000 }).toBe(24)
  for (const { name, bytes, from } of await kept(db)) {
    const isCut = name.startsWith('page') && name.endsWith('large')
    expect({ name, bytes: bytes > 32_768 ? 'more' : bytes, from: from === null ? null : 'size' }).toEqual({
      name,
      bytes: isCut ? 32_768 : name.endsWith('large') ? 'more' : expect.any(Number),
      from: isCut ? 'size' : null,
    })
  }
})

test('an item over 2 MiB is cut for every key, and cannot be replayed', async ({ db, stack, gateway }) => {
  const answer = await ask(gateway.url, { key: keys.ingest, body: body(wrong('whole', 2_000_000), wrong('cut', 2_200_000)) })
  expect(answer.status).toBe(200)
  const [cut, whole] = await kept(db)
  expect([cut, whole]).toMatchObject([
    { name: 'cut', bytes: 32_768 },
    { name: 'whole', from: null },
  ])
  const replay = (index: number) => stack.ingress.client(analyticApi).ReplayRejected({ batch_id: cut!.id, index })
  expect(refusalOf(await replay(1).catch((error: unknown) => error))).toMatchObject({
    status: 409,
    message: `${cut!.id}.1 cannot be replayed: of its ${cut!.from} bytes only the first were kept`,
  })
  expect(await replay(0)).toMatchObject({ outcome: 'rejected', rejection: { field: 'nonsense' } })
  const listed = await ask(gateway.url, {
    key: keys.manage,
    path: `${INGEST.replace('interaction', 'rejected')}?limit=1&replayed=true`,
    method: 'GET',
  })
  expect(listed.status).toBe(200)
})
