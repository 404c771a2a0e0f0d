import { randomUUID } from 'node:crypto'
import type { FastifyReply, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { shopperOf } from '../../contract/fields/shopper-id.ts'
import { SubmittedResponse } from '../../contract/interaction.ts'
import { shopperApi } from '../../contract/services.ts'
import { MergeBody, type MergeRequest, MergeResponse, SessionShopperId } from '../../contract/shopper-merge.ts'
import { isOutage } from '../../ingress/outage.ts'
import { decidedErrorOf, hasEnded, isRefusedCall } from '../../ingress/refusal.ts'
import { callerIdOf, hangUpOf } from '../access/caller.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const Submitted = z.object({ data: SubmittedResponse }).meta({
  description:
    'Restate has the merge, and makes it when PostgreSQL is back. Whether the session belongs to another account is not known yet.',
  examples: [{ data: { invocation_id: 'inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz' } }],
})

const MERGE = {
  // A page's key would let every visitor give a session to any account.
  config: { access: 'ingest', needsSecretKey: true },
  schema: {
    operationId: 'mergeSession',
    summary: 'Merge a session into an account',
    description:
      'Call it when a shopper signs in. From then on everything that was and will be recorded for the session counts for the account, too. It cannot be undone: a shopper who signs out needs a new session id. Repeating it changes nothing and gives the same answer.',
    tags: ['shoppers'],
    params: z.strictObject({ shopper_id: SessionShopperId.describe('The session: `session:` and its id.') }),
    body: MergeBody,
    querystring: z.strictObject({}),
    response: {
      200: MergeResponse.describe('The session belongs to the account.'),
      202: Submitted,
      400: ErrorBody.describe('The address names no session, or the body no account; `details` names the fields.'),
      409: ErrorBody.describe('The session belongs to another account, which `details.id` names. Nothing was changed.'),
      503: ErrorBody.describe(
        'Outcome unknown: send the same again. Or the merge failed, or too much waits here already, and nothing was merged.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

export function shopperMergeRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().post('/api/v1/shoppers/:shopper_id/merge', MERGE, async (request, reply) => {
      const { id: session_id } = shopperOf(request.params.shopper_id)!
      const merge = { session_id, account_id: request.body.account_id }
      const call = { caller: callerIdOf(request), signal: hangUpOf(request), body: Buffer.from(JSON.stringify(merge)) }
      return deps.recording.gate(call, () => mergeOrSubmit(deps, merge, reply))
    })
  }
}

/**
 * Hands the merge to Restate, then waits for its outcome. The two calls have one idempotency key and are one invocation, so after a
 * deadline it is known that Restate has the merge.
 */
async function mergeOrSubmit({ ingress, live }: RouteDeps, merge: MergeRequest, reply: FastifyReply) {
  const options = { idempotencyKey: randomUUID(), signal: AbortSignal.timeout(ingress.deadlineMs) }
  const { invocationId } = await ingress.send(shopperApi, 'Merge', merge, options).catch((error: unknown) => {
    throw unknownOutcome(error, 'send the same again')
  })
  try {
    const data = await ingress.call(shopperApi, 'Merge', merge, options)
    // For the time when PostgreSQL is away.
    await live.merged(data.session_id, data.account_id)
    return { data }
  } catch (error) {
    const decided = decidedErrorOf(error)
    if (decided !== undefined) throw decided
    if (!isOutage(error) || isRefusedCall(error)) throw error
    if (hasEnded(error))
      throw new DecidedError('unavailable', 'the session could not be merged: send the same again', { cause: error })
    return reply.code(202).send({ data: { invocation_id: invocationId } })
  }
}
