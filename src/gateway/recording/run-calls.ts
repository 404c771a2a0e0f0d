import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { storableText } from '../../contract/fields/text.ts'
import type { RunStatus } from '../../contract/recompute-run.ts'
import { decidedErrorOf } from '../../ingress/refusal.ts'
import { unknownOutcome } from './unknown-outcome.ts'

/** The header that tells on whose behalf a program acts. */
export const ActorHeader = z.object({
  'x-actor': storableText(200).optional().describe('On whose behalf, unless the body says it: recorded as the caller claims it.'),
})

/** The name of the caller's key, "local" as long as no keys are used, and on whose behalf it says it acts. */
export function byOf(request: FastifyRequest, requestedBy = request.headers['x-actor'] as string | undefined) {
  return { actor: request.apiKey?.name ?? 'local', ...(requestedBy !== undefined && { requested_by: requestedBy }) }
}

/** A failed call of a run as an answer. With a conflict `details.id` is the run that causes it. */
export function refuseRun(error: unknown): never {
  const decided = decidedErrorOf(error)
  if (decided?.code === 'conflict') {
    throw new DecidedError('conflict', decided.message, { details: { id: runIdOf(decided) }, cause: error })
  }
  throw decided ?? unknownOutcome(error, 'ask for the runs')
}

function runIdOf({ details }: DecidedError): unknown {
  return details !== undefined && 'run_id' in details ? details['run_id'] : undefined
}

interface Wait {
  msMax: number
  pollMs: number
  /** Rejects with its reason. */
  signal: AbortSignal
}

/** Asks for a run until it has ended, or for so long. @returns the run as it was last. */
export async function lastOf<Run extends { status: RunStatus }>(
  ask: () => Promise<Run>,
  { msMax, pollMs, signal }: Wait,
): Promise<Run> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const run = await ask()
    const isOpen = run.status === 'pending' || run.status === 'running'
    if (!isOpen || waitedMs >= msMax) return run
    await sleep(pollMs, undefined, { signal })
  }
}
