import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { proofOf } from '../../src/contract/recorded-call.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { compare } from '../../src/main/reconcile/compare.ts'
import { repair } from '../../src/main/reconcile/repair.ts'
import { summaryOf } from '../../src/main/reconcile/report.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { restateTest } from '../harness/fixtures.ts'
import { HANDLER_INPUTS, SIGNING_SECRET } from '../harness/items/handler-inputs.ts'
import { clear } from '../harness/servers/database.ts'
import type { Stack } from '../harness/servers/stack.ts'

const test = restateTest
  .extend('services', { scope: 'file' }, { deps: { journalMinutes: 15 } })
  .extend('folder', { scope: 'file' }, async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'footfall-reconcile-'))
    onCleanup(() => rm(folder, { recursive: true }))
    return folder
  })

// So that the signature of the inputs is right.
test.beforeAll(({ db }) => sql`update access.signing_key set secret = ${SIGNING_SECRET}`.execute(db))

const view = { account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const [HOUR_MS, AT_ONCE_MS] = [3_600_000, 0]

const comparison = (stack: Stack, db: Database) => compare(stack.adminUrl, db, HOUR_MS, AT_ONCE_MS)
const repairDeps = (stack: Stack, db: Database, folder: string) => ({
  ...{ adminUrl: stack.adminUrl, db, folder },
  ingress: createIngress({ url: stack.ingressUrl }),
})

/** Calls a handler as any program does. @returns whether it was taken. */
async function call(stack: Stack, path: string, input: object, key?: string): Promise<boolean> {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) }
  const answer = await fetch(`${stack.ingressUrl}/${path}`, { method: 'POST', headers, body: JSON.stringify(input) })
  await answer.text()
  return answer.ok
}

/** Calls every handler that records, and two without ids and times. @returns how many were taken. */
async function callAll(stack: Stack): Promise<number> {
  const recording = Object.entries(HANDLER_INPUTS).filter(([path]) => proofOf(...partsOf(path)) !== undefined)
  let taken = 0
  for (const [path, input] of recording) if (await call(stack, path, input, `key of ${path}`)) taken++
  for (const key of ['a key', undefined])
    if (await call(stack, 'Analytic/CreateInteraction', { interactions: [view] }, key)) taken++
  return taken
}

const partsOf = (path: string) => [path.split('/')[0]!, path.split('/').at(-1)!] as const

async function events(db: Database): Promise<string[]> {
  const { rows } = await sql<{ event: string }>`
    select event_id || ' ' || extract(epoch from occurred_at) as event from (
      select event_id, occurred_at from interaction union all select event_id, occurred_at from search) e order by 1`.execute(db)
  return rows.map(({ event }) => event)
}

test(
  'each completed call is found, and each lost one comes back once, with its ids and times',
  { timeout: 180_000 },
  async ({ stack, db, folder }) => {
    const taken = await callAll(stack)
    expect(taken).toBeGreaterThan(30)
    await stack.settled()
    const whole = await comparison(stack, db)
    expect(whole).toMatchObject({ compared: taken, lost: [], waiting: 0, unchecked: 0 })
    const before = await events(db)

    await clear(db)
    const { lost } = await comparison(stack, db)
    expect(lost).toHaveLength(taken)
    expect(summaryOf({ lost }).byHandler).toMatchObject({ 'Analytic.CreateInteraction': 3, 'Catalog.UpsertProducts': 1 })
    const repaired = await repair(repairDeps(stack, db, folder), lost)
    expect(repaired.filter(({ outcome }) => outcome !== 'brought back')).toEqual([])

    expect((await comparison(stack, db)).lost).toEqual([])
    expect(await events(db)).toEqual(before)
    expect(await readdir(folder)).toEqual([])
    await stack.settled()
    expect((await verify(db)).drift).toEqual([])
  },
)
