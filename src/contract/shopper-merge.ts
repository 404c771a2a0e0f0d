import { z } from 'zod'
import { Id } from './fields/id.ts'
import { ShopperId, shopperOf } from './fields/shopper-id.ts'
import { handler, Nothing } from './handler.ts'

/** The shopper of a merge. An account cannot be merged, so no chain of merges can arise. */
export const SessionShopperId = ShopperId.refine((text) => shopperOf(text)?.kind !== 'account', {
  error: 'must be session:<session_id>, because only a session can be merged',
}).meta({ pattern: '^session:', examples: ['session:s-1'] })

export const MergeRequest = z.strictObject({
  session_id: Id.describe('The session that signed in.').meta({ examples: ['s-1'] }),
  account_id: Id.describe('The account that it signed in to.').meta({ examples: ['ada'] }),
})
export type MergeRequest = z.infer<typeof MergeRequest>

/** The session is part of the address. */
export const MergeBody = MergeRequest.pick({ account_id: true })
  .strict()
  .meta({ examples: [{ account_id: 'ada' }] })

export const Merge = z.object({
  session_id: z.string(),
  account_id: z.string(),
  merged_at: z.iso.datetime().describe('When the session was merged for the first time.'),
})
export type Merge = z.infer<typeof Merge>

export const MergeResponse = z.object({ data: Merge }).meta({
  examples: [{ data: { session_id: 's-1', account_id: 'ada', merged_at: '2026-03-01T12:00:00.000Z' } }],
})

/** A merge in its lane. */
export const LaneMergeRequest = MergeRequest.extend({
  asked_at_ms: z.int().describe('When the merge was asked for. An erasure after that instant wins.'),
})
export type LaneMergeRequest = z.infer<typeof LaneMergeRequest>

export const mergeHandlers = {
  Merge: handler({
    input: MergeRequest,
    output: Merge,
    description:
      'Notes that a session belongs to an account, for ever. The first account of a session wins: 409 for another one. Waits for as long as PostgreSQL is away.',
  }),
  Merged: handler({
    input: Nothing,
    description:
      'Private. Does nothing: that Restate remembers the call, which names no shopper, shows for an hour that a merge was stored.',
  }),
}

export const mergeLaneHandlers = {
  Merge: handler({
    input: LaneMergeRequest,
    output: Merge,
    description: "Private. Stores a merge, and answers the session's first account.",
  }),
}
