import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { ErrorBody } from '../../src/contract/error.ts'
import type { RejectedCodesResponse, RejectedInteraction, RejectedReplayResponse } from '../../src/contract/rejected.ts'
import type { ReplayRun, ReplayRunsResponse } from '../../src/contract/replay-run.ts'
import { analyticApi, replayRunApi } from '../../src/contract/services.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'

test.beforeEach(({ db }) => clear(db))

/** Much longer than a run of 121 events takes, also on a busy machine. */
const PATIENCE_MS = 90_000

const REJECTED = '/api/v1/analytic/rejected'
const RUNS = '/api/v1/analytic/rejected-replays'

interface Answer<Data> {
  status: number
  data: Data
  error: ErrorBody['error']
}

async function ask<Data>({ url }: TestGateway, path: string, method = 'GET', body?: object): Promise<Answer<Data>> {
  const headers = { ...(body && { 'content-type': 'application/json' }), 'x-actor': 'bea' }
  const answer = await fetch(url + path, { method, headers, body: body ? JSON.stringify(body) : null })
  return { status: answer.status, ...((await answer.json()) as Omit<Answer<Data>, 'status'>) }
}

const event = (changes: object = {}) => ({ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'lamp', ...changes })

const reject = (stack: Stack, interactions: object[]) => stack.ingress.client(analyticApi).CreateInteraction({ interactions })

const isCompleted = async (gateway: TestGateway, id: string) => (await ask<ReplayRun>(gateway, `${RUNS}/${id}`)).data

async function completed(gateway: TestGateway, id: string): Promise<ReplayRun> {
  await expect.poll(async () => (await isCompleted(gateway, id)).status, { timeout: PATIENCE_MS }).toBe('completed')
  return isCompleted(gateway, id)
}

const eventsOf = async (db: Database) =>
  Number((await sql<{ n: string }>`select count(*) as n from interaction`.execute(db)).rows[0]!.n)

test('rejected events are listed by code, shown, and replayed one by one with a correction', async ({ db, stack, gateway }) => {
  await reject(stack, [event({ ref_id: '' }), event({ event_type: 'A B' }), event()])
  await stack.ingress.client(analyticApi).RecordSearches({ searches: [{ session_id: 's', query: '', product_ids: [] }] })
  const codes = await ask<RejectedCodesResponse['data']>(gateway, `${REJECTED}/codes`)
  expect(codes.data).toMatchObject([
    { code: 'invalid', kind: 'interaction', count: 2, replayable: 2 },
    { code: 'invalid', kind: 'search', count: 1, replayable: 1 },
  ])
  const { batch_id } = (await ask<RejectedInteraction[]>(gateway, REJECTED)).data.at(-1)!
  const one = await ask<RejectedInteraction>(gateway, `${REJECTED}/${batch_id}.0`)
  expect(one.data).toMatchObject({ id: `${batch_id}.0`, field: 'ref_id', item: { ref_id: '' }, replayed_at: null })

  const replay = (id: string, body: object) =>
    ask<RejectedReplayResponse['data']>(gateway, `${REJECTED}/${id}/replay`, 'POST', body)
  const again = await replay(`${batch_id}.1`, {})
  expect(again.data).toEqual({
    accepted: 0,
    duplicates: 0,
    rejected: [expect.objectContaining({ code: 'invalid', field: 'event_type' })],
  })
  const fixed = await replay(`${batch_id}.0`, { set: { ref_id: 'desk' } })
  expect(fixed.data).toEqual({ accepted: 1, duplicates: 0, rejected: [], event_id: expect.any(String) as string })
  expect(await replay(`${batch_id}.0`, {})).toMatchObject({ status: 409, error: { code: 'conflict' } })
  expect(await replay('77777.0', {})).toMatchObject({ status: 404 })
  expect(await replay('nonsense', {})).toMatchObject({ status: 400 })
  expect(await replay(`${batch_id}.1`, { set: { nonsense: 1 } })).toMatchObject({ status: 400 })
  expect((await ask(gateway, `${REJECTED}/77777.0`)).status).toBe(404)
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})

test(
  'a run replays all events of a code with a correction, and each counts once',
  { timeout: 2 * PATIENCE_MS },
  async ({ db, stack, gateway }) => {
    const wrong = Array.from({ length: 120 }, (_, n) => event({ ref_id: n % 3 === 0 ? `p${n}` : `q${n}`, ref_type: 'Thing' }))
    await reject(stack, [...wrong, event({ event_type: 'A B' })])
    const requested = await ask<ReplayRun>(gateway, RUNS, 'POST', { code: 'invalid', set: { ref_type: 'Product' } })
    expect(requested).toMatchObject({ status: 202, data: { code: 'invalid', requested_by: 'bea', actor: 'local' } })
    const run = await completed(gateway, requested.data.id)
    expect(run).toMatchObject({ accepted: 120, duplicates: 0, rejected: 1, skipped: 0, progress: { done: 121, total: 121 } })
    expect(run.set).toBeUndefined()
    expect(await eventsOf(db)).toBe(120)
    await stack.settled()
    expect((await verify(db)).drift).toEqual([])

    const next = await ask<ReplayRun>(gateway, RUNS, 'POST', {
      code: 'invalid',
      set: { event_type: 'view' },
      requested_by: 'cleo',
    })
    expect(await completed(gateway, next.data.id)).toMatchObject({
      accepted: 1,
      progress: { done: 1, total: 1 },
      requested_by: 'cleo',
    })
    const { data } = await ask<ReplayRunsResponse['data']>(gateway, `${RUNS}?status=completed&limit=1`)
    expect(data.map(({ id }) => id)).toEqual([next.data.id])
    const { rows } = await sql<{ actor: string }>`
    select distinct actor from audit_entry where action = 'rejected.replay' and at > now() - interval '1 hour'`.execute(db)
    expect(rows).toContainEqual({ actor: 'local' })
  },
)

test('a run that ended cannot be cancelled, an unknown one is not found, and ignored webhooks are refused', async ({
  gateway,
  stack,
}) => {
  const { data } = await ask<ReplayRun>(gateway, RUNS, 'POST', { code: 'refused' })
  await completed(gateway, data.id)
  expect(await ask(gateway, `${RUNS}/${data.id}`, 'DELETE')).toMatchObject({ status: 409, error: { details: { id: data.id } } })
  const unknown = randomUUID()
  expect((await ask(gateway, `${RUNS}/${unknown}`)).status).toBe(404)
  expect((await ask(gateway, `${RUNS}/${unknown}`, 'DELETE')).status).toBe(404)
  expect((await ask(gateway, RUNS, 'POST', { code: 'ignored' })).status).toBe(400)
  expect((await ask(gateway, `${RUNS}?cursor=x`)).status).toBe(400)
  await expect(stack.ingress.client(replayRunApi, unknown).Status({})).rejects.toMatchObject({ status: 404 })
})

test('a cancelled run stops, and what it replayed stays', { timeout: 2 * PATIENCE_MS }, async ({ db, stack, gateway }) => {
  await reject(
    stack,
    Array.from({ length: 400 }, (_, n) => event({ ref_id: `p${n}`, ref_type: 'Thing' })),
  )
  const id = randomUUID()
  const run = stack.ingress.client(replayRunApi, id)
  await run.Start({ code: 'invalid', set: { ref_type: 'Product' }, actor: 'ada' }, clients.rpc.opts({ idempotencyKey: id }))
  const other = await ask(gateway, RUNS, 'POST', { code: 'invalid' })
  if (other.status !== 202) expect(other).toMatchObject({ status: 409, error: { details: { id } } })
  const cancelled = await ask<ReplayRun>(gateway, `${RUNS}/${id}`, 'DELETE')
  if (cancelled.status === 200) expect(cancelled.data.status).toBe('cancelled')
  else expect(cancelled.status).toBe(409)
  await stack.settled()
  const { status, accepted } = await isCompleted(gateway, id)
  expect(['cancelled', 'completed']).toContain(status)
  // A page that was at work when the run ended is not noted.
  expect(await eventsOf(db)).toBeGreaterThanOrEqual(accepted)
  expect((await verify(db)).drift).toEqual([])
})
