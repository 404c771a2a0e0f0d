import { type ObjectContext, TerminalError } from '@restatedev/restate-sdk'
import { isDataError } from '../../src/store/database/sql-state.ts'

/** The code of a failure that would repeat. Its task makes no further attempt, and the next slot comes as usual. */
export const FINAL = 422

/** A step of a task. It is not retried by Restate, because Task decides when to try again and keeps the error. */
export function step<T>(ctx: ObjectContext, name: string, action: () => Promise<T>): Promise<T> {
  return ctx.run(name, action, { maxRetryAttempts: 1 })
}

/** Makes a data error final, e.g. a sum that is too large for its column. For `catch`. */
export function finalIfDataError(error: unknown): never {
  if (isDataError(error)) throw new TerminalError((error as Error).message, { errorCode: FINAL })
  throw error
}
