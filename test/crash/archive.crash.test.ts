import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archivedMonths } from '../../services/archive/manifest.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { scheduleApi } from '../../src/contract/services.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { until } from '../../src/main/embedded/until.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

/** Months that are archived, each of several parts. */
const MONTHS = 12
const EVENTS = 60
/** The endpoint dies after every so many statements, steps and attempts. */
const STEP = 7
const SLOT_MS = 200
const PATIENCE_MS = 120_000
const OLD_MS = Date.UTC(2019, 0, 10)

const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)

let folder: string
let stack: CrashStack
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  stack = await startCrashStack({ archiveFolder: folder })
}, 60_000)
afterAll(async () => {
  await stack.stop({ keepFolder: false })
  await rm(folder, { recursive: true, force: true })
})

const monthAt = (n: number) => monthOf(OLD_MS + n * 31 * DAY_MS)

async function fill(): Promise<string[]> {
  await makePartitions(
    stack.db,
    Array.from({ length: MONTHS }, (_, n) => monthAt(n)),
    ['interaction'],
  )
  for (let n = 0; n < MONTHS; n++) {
    await recordAndCount(
      stack.db,
      Array.from({ length: EVENTS }, (_, k) =>
        interaction({
          refId: `p${k % 5}`,
          accountId: `a${k % 7}`,
          userAgent: `browser ${k}`,
          metadata: { k },
          occurredAtMs: Date.parse(`${monthAt(n)}-05T00:00:00Z`) + k * 60_000,
        }),
      ),
    )
  }
  return rowsIn(['interaction'])
}

async function rowsIn(tables: readonly string[]): Promise<string[]> {
  const rows: string[] = []
  for (const table of tables) {
    const found = await sql<{ row: string }>`
      select t::text as row from ${sql.table(table)} t where occurred_at < '2021-01-01' order by occurred_at, event_id`.execute(
      stack.db,
    )
    rows.push(...found.rows.map(({ row }) => row))
  }
  return rows
}

const schedule = () => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, 'retention')

async function monthsLeft(): Promise<number> {
  const { rows } = await sql<{ months: number }>`
    select count(*)::int as months from pg_class where relkind = 'r' and relname ~ '^interaction_2(019|020)_[0-9]{2}$'
      and relnamespace = 'log_month'::regnamespace`.execute(stack.db)
  return rows[0]!.months
}

test(
  'wherever the endpoint or PostgreSQL is killed, months are archived once and whole before they are dropped',
  { timeout: 600_000 },
  async () => {
    console.log(`CRASH_SEED=${seed}`)
    const random = randomOf(seed, 'archive')
    const before = await fill()
    expect(before).toHaveLength(MONTHS * EVENTS)
    await schedule().Start({ every_ms: SLOT_MS })
    let deaths = 0
    for (let left = await monthsLeft(); left > 0; left = await monthsLeft()) {
      const goal = left - 1
      const isFurther = () => until(async () => (await monthsLeft()) <= goal, PATIENCE_MS)
      const death: Death = { point: ANYWHERE, occurrence: 1 + random.below(STEP * MONTHS) }
      if (await stack.dieDuring(death, isFurther)) deaths++
      if (left === MONTHS - 2) {
        await stack.kill('postgres')
        await stack.revive('postgres')
      }
    }
    expect(deaths).toBeGreaterThan(2)
    await schedule().Stop({})
    const store = createFolderArchive(folder)
    const kept = new Set<string>()
    const tables: string[] = []
    for await (const manifest of archivedMonths(store)) {
      expect(manifest.rows).toBe(EVENTS)
      kept.add(`log/interaction/${manifest.month}/manifest.json`)
      for (const { name } of manifest.parts) kept.add(name)
      await restoreMonth(stack.db, store, manifest)
      tables.push(`restored.interaction_${manifest.month.replace('-', '_')}`)
    }
    const stored: string[] = []
    for await (const { name } of store.list('')) stored.push(name)
    expect(stored.filter((name) => !kept.has(name))).toEqual([])
    expect(await rowsIn(tables)).toEqual(before)
    expect(await verify(stack.db)).toMatchObject({ drift: [], restored_months: MONTHS })
    expect((await sql`select from archive_part`.execute(stack.db)).rows).toEqual([])
  },
)
