/** What waits for PostgreSQL in this process. */
export interface WaitingCalls {
  /** Calls that record, and whose callers may wait for the answer. */
  direct: Places
  /** Messages that count and feed. */
  background: Places
  /** Whether one more direct call may leave its place and wait in a recorder. Counts it. */
  mayLeave: () => boolean
  /** A recorder has recorded a call: PostgreSQL answers. */
  recorded: () => void
}

/** The places in Restate that invocations keep between their attempts while PostgreSQL is away. */
export interface Places {
  /**
   * Runs the statements of an invocation. While PostgreSQL is away, the errors of the first invocations are thrown, so that Restate repeats
   * them. All others get the result of `leave`, whose argument is undefined when this attempt has begun nothing.
   */
  attempt: <T, L>(id: string, statements: () => Promise<T>, leave: (failure: unknown) => L) => Promise<T | L>
}
