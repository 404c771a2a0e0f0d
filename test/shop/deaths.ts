import { sql } from 'kysely'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { Program } from '../harness/programs/program.ts'

const PATIENCE_MS = 60_000

/** Kills the consumer while it waits inside its transaction, which is then rolled back. */
export async function killConsumerInTransaction(program: Program, db: Database): Promise<void> {
  const holder = await db.startTransaction().execute()
  try {
    await sql`select from kafka_offset for update`.execute(holder)
    const waiting = async () => {
      const { rows } = await sql`
        select from pg_stat_activity where application_name = 'footfall consumer' and wait_event_type = 'Lock'
          and datname = current_database()`.execute(db)
      return rows.length > 0
    }
    if (!(await until(waiting, PATIENCE_MS))) throw new Error('the consumer does not store anything')
    for (const pid of await program.partsOf('consumer.ts')) process.kill(pid, 'SIGKILL')
  } finally {
    await holder.rollback().execute()
  }
}

/** Kills the process of `npm start`, and starts it again. The consumer goes on until it notices. */
export async function killStart(program: Program): Promise<void> {
  await program.kill()
  await program.start()
}

/** Kills every process at once, PostgreSQL and Restate too, and starts everything again. */
export async function killEverything(program: Program): Promise<void> {
  const parts = await program.partsOf('')
  const killed = program.kill()
  for (const pid of parts) process.kill(pid, 'SIGKILL')
  await killed
  await program.start()
}
