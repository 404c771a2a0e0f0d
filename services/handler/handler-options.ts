import type { ServiceHandlerOpts } from '@restatedev/restate-sdk'
import { asTerminalError, asTerminalErrorOfRead } from './as-terminal-error.ts'

/** Options that every handler states, so that none keeps a journal for Restate's default of a day by accident. */
export type HandlerOptions = Required<
  Pick<
    ServiceHandlerOpts<unknown, unknown>,
    'idempotencyRetention' | 'journalRetention' | 'inactivityTimeout' | 'abortTimeout' | 'asTerminalError'
  >
> &
  Pick<ServiceHandlerOpts<unknown, unknown>, 'ingressPrivate' | 'retryPolicy'>

/** Two minutes, because statements end after 30 s and no attempt should be cut off in the middle of one. */
const STEP = { inactivityTimeout: { minutes: 2 }, abortTimeout: { minutes: 2 }, asTerminalError }

/** A step whose statements may take half an hour. */
const LONG = { inactivityTimeout: { minutes: 35 } }

/**
 * For handlers that write. An answer is kept for an hour: a repeated idempotency key gets the first one back for that long. JOURNAL_MINUTES keeps the
 * journals of those that record (`with-options.ts`).
 */
export const RECORD: HandlerOptions = { ...STEP, idempotencyRetention: { hours: 1 }, journalRetention: 0 }

/** For handlers that wait for an object. After a second they are suspended, and hold no slot of Restate until the object answers. */
export const CALLING: HandlerOptions = { ...RECORD, inactivityTimeout: { seconds: 1 } }

/**
 * For merges, whose answers name a session and its account. The gateway sends a merge and then waits for it by the same key, so 20 s outlast the
 * moment between the two calls.
 */
export const MERGING: HandlerOptions = { ...CALLING, idempotencyRetention: { seconds: 20 } }

/** For handlers that only other handlers call. The hour covers the sweeper's idempotency keys. */
export const BACKGROUND: HandlerOptions = { ...RECORD, ingressPrivate: true }

/** For the tick of a schedule. A million attempts half a minute apart are a year, because a paused tick would end its schedule. */
export const TICK: HandlerOptions = {
  ...BACKGROUND,
  retryPolicy: { initialInterval: 100, exponentiationFactor: 2, maxInterval: 30_000, maxAttempts: 1_000_000 },
}

/** For the work of a lane, which waits for PostgreSQL however long it is away. A million attempts 5 s apart are 57 days. */
export const LANE: HandlerOptions = {
  ...BACKGROUND,
  retryPolicy: { initialInterval: 100, exponentiationFactor: 2, maxInterval: 5_000, maxAttempts: 1_000_000 },
}

/** For background work with long statements. */
export const RUN: HandlerOptions = { ...BACKGROUND, ...LONG }

/**
 * The same for messages whose idempotency key is their run. Restate drops a message while an earlier one with its key waits or works. Answers are
 * not kept, so that a run can be sent again after a kill.
 */
export const SINGLE_RUN: HandlerOptions = { ...RUN, idempotencyRetention: 0 }

/** For reads. Nothing of them is kept: at thousands of reads a second the default of a day would fill the disk. */
export const READ: HandlerOptions = {
  ...STEP,
  idempotencyRetention: 0,
  journalRetention: 0,
  asTerminalError: asTerminalErrorOfRead,
}

/** For reads that only other handlers call. */
export const PRIVATE_READ: HandlerOptions = { ...READ, ingressPrivate: true }

/** For a proof, which is one step of many statements that may take half an hour each. */
export const PROOF: HandlerOptions = { ...BACKGROUND, inactivityTimeout: { hours: 12 } }
