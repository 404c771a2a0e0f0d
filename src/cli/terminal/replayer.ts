import { HttpCallError } from '@restatedev/restate-sdk-clients'
import { rejectedIdOf, type RejectedKey, type Correction, type ReplayRejectedResponse } from '../../contract/rejected.ts'
import { analyticApi } from '../../contract/services.ts'
import { fetchFrom } from '../../ingress/addresses.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { actor } from './actor.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import type { Config } from '../../main/config/config.ts'
import { ingressOf } from '../../main/ingress.ts'
import { StartError } from '../../main/config/start-error.ts'

const REPLAY_MS_MAX = 30_000
const HEALTH_MS_MAX = 2_000

/** The outcome of a replay; `problem` when there is no such event or it was replayed before. */
export type Replayed = ReplayRejectedResponse | { outcome: 'none'; problem: string }

/** How an event is replayed: corrected, or a webhook with the callbacks that its adapter makes of it. */
export interface ReplayChanges {
  set?: Correction | undefined
  callbacks?: readonly object[]
}

export type Replay = (key: RejectedKey, changes?: ReplayChanges) => Promise<Replayed>

/**
 * Replays rejected events through the ingress. Each call has an idempotency key, so that the retries of the client are one
 * replay. @throws StartError when the program does not run.
 */
export async function createReplayer(config: Config): Promise<Replay> {
  const url = addressesOf(config).ingressUrl
  const isUp = await fetchFrom(url, '/restate/health', { signal: AbortSignal.timeout(HEALTH_MS_MAX) }).then(
    ({ ok }) => ok,
    () => false,
  )
  if (!isUp) throw new StartError(`Restate does not answer at ${url}: replaying works while Footfall runs (npm start).`)
  const ingress = ingressOf(config, { deadlineMs: REPLAY_MS_MAX })
  return async (key, { set, callbacks } = {}) => {
    try {
      const changes = { ...(set && { set }), ...(callbacks && { callbacks: [...callbacks] }) }
      return await ingress.call(analyticApi, 'ReplayRejected', { ...key, ...changes, actor: actor() })
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal !== undefined) return { outcome: 'none', problem: refusal.message }
      throw new StartError(
        `Whether ${rejectedIdOf(key)} was replayed is not known (${reasonOf(error)}): replay it again, because it counts once.`,
        { cause: error },
      )
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof HttpCallError) return `Restate answered ${error.status}`
  if (error instanceof DOMException) return `no answer within ${REPLAY_MS_MAX / 1_000} s`
  return error instanceof Error ? error.message : String(error)
}
