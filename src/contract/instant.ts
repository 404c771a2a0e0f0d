import { z } from 'zod'

const NO_TIME = 'must be an RFC 3339 time such as 2026-03-01T12:00:00Z, with at most nine decimals'

const IsoTime = z.iso.datetime({ offset: true })

/** RFC 3339 with up to nanoseconds; kept as UTC milliseconds. */
export const Instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/, { error: NO_TIME, abort: true })
  .refine((text) => IsoTime.safeParse(text.toUpperCase()).success, { error: NO_TIME })
  .meta({ format: 'date-time' })
