/** The fields of a checked row of every table of the log. `index` is its position in the call, `item` the item as it was sent. */
export interface LogRow {
  index: number
  item: unknown
  eventId: string
  occurredAtMs: number
  accountId: string | null
  sessionId: string | null
  /** When it was sent, by the sender's clock; undefined when the sender does not say. */
  sentAtMs?: number | undefined
}

/** Why an item is rejected. The field is null when the whole item is wrong. */
export interface ItemProblem {
  code: 'invalid' | 'too_old' | 'in_future' | 'not_yet' | 'refused' | 'inactive_source'
  field: string | null
  message: string
}

/** A rejected item of a call, by its position. */
export interface Rejection extends ItemProblem {
  index: number
}

/** A rejection with the item as it was sent. */
export interface NewRejection extends Rejection {
  item: unknown
  /** Whether little of the item is kept, because its sender has a publishable key. */
  isKeptShort?: boolean
}

/** An item that is recorded without one of its fields. */
export interface Warning {
  index: number
  field: string
  message: string
}
