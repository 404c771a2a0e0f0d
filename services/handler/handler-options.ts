import { type ServiceHandlerOpts, TerminalError } from '@restatedev/restate-sdk'
import { isUnavailable } from '../../src/store/database/connection.ts'
import { AlreadyReplayed } from '../../src/store/log/rejected-replay.ts'
import { RepairIsOpen } from '../../src/store/proof/verification.ts'

type Options = Pick<
  ServiceHandlerOpts<unknown, unknown>,
  | 'ingressPrivate'
  | 'idempotencyRetention'
  | 'journalRetention'
  | 'inactivityTimeout'
  | 'abortTimeout'
  | 'retryPolicy'
  | 'asTerminalError'
>

/** Statements end after 30 s, so that no attempt is cut off in the middle of one. */
const STEP = { inactivityTimeout: { minutes: 2 }, abortTimeout: { minutes: 2 } } satisfies Options

/** Answers are kept for an hour: how long a repeated idempotency key gets the first answer back. */
export const RECORD = { ...STEP, idempotencyRetention: { hours: 1 }, journalRetention: 0 } satisfies Options

/** That somebody else was first is decided, and repeating does not change it. */
export const REPLAY = {
  ...RECORD,
  asTerminalError: (error: unknown) =>
    error instanceof AlreadyReplayed ? new TerminalError(error.message, { errorCode: 409 }) : undefined,
} satisfies Options

/** Called by other handlers alone. The hour covers the sweeper's idempotency keys. */
export const BACKGROUND = { ...RECORD, ingressPrivate: true } satisfies Options

/** Half a minute apart, a million attempts are a year: a tick that paused would be the end of its schedule. */
export const TICK = {
  ...BACKGROUND,
  retryPolicy: { initialInterval: 100, exponentiationFactor: 2, maxInterval: 30_000, maxAttempts: 1_000_000 },
} satisfies Options

/** A step whose statements may take half an hour. */
const LONG = { inactivityTimeout: { minutes: 35 } } satisfies Options

export const RUN = { ...BACKGROUND, ...LONG } satisfies Options

/**
 * Nothing of a read is kept: at thousands a second the default of a day would fill the disk. Nor does it wait for a
 * database that is away: whoever asked has gone by then.
 */
export const READ = {
  ...STEP,
  idempotencyRetention: 0,
  journalRetention: 0,
  asTerminalError: (error: unknown) =>
    isUnavailable(error) || error instanceof RepairIsOpen
      ? new TerminalError('the database does not answer, or is being repaired; try again', { errorCode: 503 })
      : undefined,
} satisfies Options

/** A read of the whole log. */
export const PROOF = { ...READ, ...LONG } satisfies Options

/** The code of an error that repeating does not change: the next slot comes as ever. */
export const FINAL = 422
