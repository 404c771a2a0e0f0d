import { z } from 'zod'

const NOT_A_TIME = 'must be an RFC 3339 time such as 2026-03-01T12:00:00Z, with at most nine decimals'

const IsoTime = z.iso.datetime({ offset: true })

/** An RFC 3339 time with up to nanoseconds, which is kept as UTC milliseconds. */
export const Instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/, { error: NOT_A_TIME, abort: true })
  .refine((text) => IsoTime.safeParse(text.toUpperCase()).success, { error: NOT_A_TIME })
  .meta({ format: 'date-time' })
