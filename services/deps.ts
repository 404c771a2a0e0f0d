import type { RetryPolicy } from '@restatedev/restate-sdk'
import type { Store } from '../src/store/database.ts'
import type { Privacy } from '../src/store/privacy.ts'
import type { ServiceObserver } from './observer.ts'

/** The points at which a crash is most harmful. */
export type FailPoint =
  | 'batch committed'
  | 'between the sends'
  | 'before the answer'
  | 'scores committed'
  | 'profiles committed'
  | 'catalogue committed'

/** What every service receives. */
export interface Deps {
  /** For recording and reads. */
  db: Store
  /** For counting and everything else that callers do not wait for: however long that waits for a lock, recording goes on. */
  background: Store
  /** How a handler that fails is tried again before it pauses. */
  retryPolicy: RetryPolicy
  /** What is taken out of an event before it is stored. */
  privacy: Privacy
  observer: ServiceObserver
  /** Called at each fail point; a crash test dies there. */
  reached: (point: FailPoint) => void
}
