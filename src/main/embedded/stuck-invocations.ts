import { STUCK_INVOCATIONS_MAX, type StuckInvocation, type StuckInvocationsResponse } from '../../contract/invocation.ts'
import { queryRestate, stuckInvocations } from './restate-queries.ts'

/** The most characters of an error that are listed. */
const ERROR_CHARACTERS_MAX = 500

/** An operator looks at the list, also while Restate does not answer. */
const ANSWER_MS_MAX = 1_800

interface StuckRow {
  id: string
  target: string
  status: 'paused' | 'backing-off'
  attempts: number | null
  since: string | null
  error: string | null
}

/** Invocations that fail, with what they call and why they failed last. */
export async function listStuck(adminUrl: string, msMax = ANSWER_MS_MAX): Promise<StuckInvocationsResponse> {
  const listed = queryRestate<StuckRow>(
    adminUrl,
    `select id, target, status, retry_count as attempts, modified_at as since, last_failure as error from sys_invocation
      where status in ('paused', 'backing-off') order by status desc, modified_at desc limit ${STUCK_INVOCATIONS_MAX}`,
    msMax,
  )
  const [rows, { paused, retrying }] = await Promise.all([listed, stuckInvocations(adminUrl, msMax)])
  return { data: rows.map(listedOf), meta: { paused, retrying } }
}

function listedOf({ id, target, status, attempts, since, error }: StuckRow): StuckInvocation {
  return {
    id,
    state: status === 'paused' ? 'paused' : 'retrying',
    target,
    attempts,
    since: since === null ? null : new Date(since).toISOString(),
    error: error === null ? null : error.slice(0, ERROR_CHARACTERS_MAX),
  }
}
