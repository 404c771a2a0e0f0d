import { type Kysely, sql } from 'kysely'
import type { Task } from '../../services/handler/deps.ts'

export const SLOT_MS = 100

/** Notes when each run of a slot began, because one invocation may run a slot twice. A repeated step notes the same run again. */
export const noteSlots: Task = {
  description: 'writes down its slots',
  everyMs: SLOT_MS,
  isOn: () => true,
  run: async ({ background }, ctx, slot) => {
    const { startedAt } = (await ctx.get<{ startedAt: number }>('run'))!
    await ctx.run(
      'note the slot',
      async () => {
        await sql`insert into slot_run (slot, started_at) values (${slot}, ${startedAt}) on conflict do nothing`.execute(
          background,
        )
      },
      { maxRetryAttempts: 1 },
    )
  },
}

export async function prepareSlots(db: Kysely<unknown>): Promise<void> {
  await sql`create table slot_run (slot bigint, started_at bigint, noted_at timestamptz default clock_timestamp(), primary key (slot, started_at))`.execute(
    db,
  )
}

/** The slots that ran, in the order of their first note, each with its number of runs. */
export async function slotsRun(db: Kysely<unknown>): Promise<{ slot: number; runs: number }[]> {
  const { rows } = await sql<{ slot: string; runs: number }>`
    select slot, count(*)::int as runs from slot_run group by slot order by min(noted_at)`.execute(db)
  return rows.map(({ slot, runs }) => ({ slot: Number(slot), runs }))
}
