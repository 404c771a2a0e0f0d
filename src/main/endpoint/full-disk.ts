import type { Logger } from 'pino'
import { isDiskFull } from '../../store/database/sql-state.ts'
import { sendNotice } from '../embedded/notice.ts'

/** Handlers are tried again every few seconds, so the errors of one full disk are closer together than this. */
const QUIET_MS = 10 * 60_000
const FULL = 'the disk of PostgreSQL is full: nothing is recorded until there is space'

/** Says once that PostgreSQL cannot write because its disk is full: in the log, and on the console of `npm start`. */
export function createFullDiskWatch(log: Logger, now = () => performance.now()): (error: unknown) => void {
  let lastMs = Number.NEGATIVE_INFINITY
  return (error) => {
    if (!isDiskFull(error)) return
    const isNews = now() - lastMs > QUIET_MS
    lastMs = now()
    if (!isNews) return
    log.error(FULL)
    sendNotice(`${FULL.replace(/^t/, 'T')}.`)
  }
}
