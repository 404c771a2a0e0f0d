import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../../src/store/database/connection.ts'
import { backlog } from '../../../src/store/log/backlog.ts'

const POLL_MS = 20
const DONE_MS_MAX = 120_000

/** Resolves when `isDone` is true. @throws after `patienceMs`. */
export async function waitUntil(isDone: () => Promise<boolean>, patienceMs = DONE_MS_MAX): Promise<void> {
  for (const endMs = performance.now() + patienceMs; !(await isDone()); await sleep(POLL_MS)) {
    if (performance.now() > endMs) throw new Error(`not done after ${patienceMs} ms`)
  }
}

/** Whether every recorded batch is counted and fed. */
export async function isSettled(db: Database): Promise<boolean> {
  const { uncountedBatches, unfedBatches } = await backlog(db)
  return uncountedBatches + unfedBatches === 0
}
