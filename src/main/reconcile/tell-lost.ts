import { connect } from '../../store/database/connection.ts'
import { timelineState } from '../../store/log/timeline.ts'
import { compare } from './compare.ts'
import { summaryOf } from './report.ts'

/** Restate forgets most calls after an hour. */
const SINCE_MS = 3_600_000

/**
 * What to tell when PostgreSQL is older than Restate: it was restored to an earlier state, or a standby without the last commits took over.
 * Undefined when it has every call that Restate completed in the last hour.
 */
export async function lostCallsNotice(adminUrl: string, databaseUrl: string): Promise<string | undefined> {
  const db = connect({ url: databaseUrl, name: 'footfall start', connectionsMax: 1 })
  try {
    const lost = summaryOf(await compare(adminUrl, db, SINCE_MS))
    if (lost.calls > 0) {
      return `PostgreSQL is older than Restate: it lacks ${lost.calls} call${lost.calls === 1 ? '' : 's'} that Restate completed from ${lost.from!.toISOString()} to ${lost.to!.toISOString()}. Run ./footfall reconcile --repair (docs/backup.md).`
    }
    const { isChanged, acknowledged, current } = await timelineState(db)
    if (!isChanged) return undefined
    return `PostgreSQL changed its timeline from ${acknowledged.timeline} to ${current.timeline}, by a restore or a failover. It has every call that Restate completed in the last hour: ./footfall reconcile acknowledges it.`
  } finally {
    await db.destroy()
  }
}
