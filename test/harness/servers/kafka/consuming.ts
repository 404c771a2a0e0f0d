import { sql } from 'kysely'
import { expect } from 'vitest'
import { judgeRecords } from '../../../../src/admission/judge-records.ts'
import { createAdmin } from '../../../../src/consumer/client.ts'
import { type ConsumerObserver, type ConsumerOptions, runConsumer } from '../../../../src/consumer/consumer.ts'
import { lagOf } from '../../../../src/consumer/lag.ts'
import type { Database } from '../../../../src/store/database/connection.ts'
import { storedOffsets } from '../../../../src/store/kafka/offset.ts'
import type { BatchBounds } from '../../../../src/store/log/batch.ts'
import { createTombstones } from '../../../../src/store/log/tombstone.ts'
import type { TestTopics } from './topics.ts'

/** A consumer of this process. */
export function consume(
  db: Database,
  { settings, topics, groupId }: TestTopics,
  changes: Partial<ConsumerOptions> = {},
  observed: Partial<ConsumerObserver> = {},
) {
  const stop = new AbortController()
  const seen = { fannedOut: [] as BatchBounds[], outages: 0, sessions: [] as unknown[], moved: 0 }
  const privacy = { ipAddress: 'keep', userAgent: 'keep' } as const
  const done = runConsumer(
    {
      db,
      brokers: settings,
      groupId,
      topics,
      judge: (records) => judgeRecords(records, { nowMs: Date.now(), currency: 'EUR', privacy }),
      privacy,
      tombstones: createTombstones(undefined),
      fanOut: (batch) => seen.fannedOut.push(batch),
      observer: {
        stored: () => undefined,
        failed: (_error, isOutage) => void (isOutage && seen.outages++),
        setAside: () => undefined,
        joined: () => undefined,
        assigned: () => undefined,
        left: (error) => seen.sessions.push(error),
        moved: () => void seen.moved++,
        ...observed,
      },
      batchMs: 100,
      retry: { firstMs: 100, maxMs: 1_000, retriesMax: 4 },
      ...changes,
    },
    stop.signal,
  )
  return {
    seen,
    stop: async () => {
      stop.abort()
      await done
    },
  }
}

/** Until every offset of the topics is stored. */
export async function untilRead(db: Database, { settings, topics }: TestTopics, timeout = 30_000): Promise<void> {
  const admin = createAdmin(settings)
  try {
    const behind = async () => {
      const lags = await lagOf(admin, [...topics.keys()], await storedOffsets(db)).catch(() => undefined)
      return lags?.every(({ next, behind: records, end }) => records === 0n && (next !== null || end === 0n))
    }
    await expect.poll(behind, { timeout, interval: 100 }).toBe(true)
  } finally {
    await admin.close()
  }
}

/** How many records the topics have. */
export async function endOf({ settings, topics }: TestTopics): Promise<number> {
  const admin = createAdmin(settings)
  const lags = await lagOf(admin, [...topics.keys()], [])
  await admin.close()
  return lags.reduce((sum, { end }) => sum + Number(end ?? 0), 0)
}

export async function countOf(db: Database, table: string): Promise<number> {
  return Number((await sql<{ n: string }>`select count(*) as n from ${sql.table(table)}`.execute(db)).rows[0]!.n)
}
