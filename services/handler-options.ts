import type { ServiceHandlerOpts } from '@restatedev/restate-sdk'

type Options = Pick<
  ServiceHandlerOpts<unknown, unknown>,
  'ingressPrivate' | 'idempotencyRetention' | 'journalRetention' | 'inactivityTimeout' | 'abortTimeout'
>

/** Statements end after 30 s, so that no attempt is cut off in the middle of one. */
const STEP = { inactivityTimeout: { minutes: 2 }, abortTimeout: { minutes: 2 } } satisfies Options

/** Answers are kept for an hour: how long a repeated idempotency key gets the first answer back. */
export const RECORD = { ...STEP, idempotencyRetention: { hours: 1 }, journalRetention: 0 } satisfies Options

/** Called by other handlers alone. The hour covers the sweeper's idempotency keys. */
export const BACKGROUND = { ...RECORD, ingressPrivate: true } satisfies Options

/** Nothing of a read is kept: at thousands a second the default of a day would fill the disk. */
export const READ = { ...STEP, idempotencyRetention: 0, journalRetention: 0 } satisfies Options
