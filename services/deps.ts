import type { RetryPolicy } from '@restatedev/restate-sdk'
import type { Store } from '../src/store/database.ts'

/** The points at which a crash is most harmful. */
export type FailPoint = 'batch committed' | 'between the sends' | 'before the answer' | 'scores committed' | 'profiles committed'

/** What every service receives. */
export interface Deps {
  db: Store
  /** How a handler that fails is tried again before it pauses. */
  retryPolicy: RetryPolicy
  /** Called at each fail point; a crash test dies there. */
  reached: (point: FailPoint) => void
}
