import type { ObjectContext, RetryPolicy } from '@restatedev/restate-sdk'
import type { Database } from '../../src/store/database/connection.ts'
import type { Privacy } from '../../src/admission/privacy.ts'
import type { ServiceObserver } from './observer.ts'

/** What every service receives. */
export interface Deps {
  /** For recording and reads. */
  db: Database
  /** For counting and everything else that callers do not wait for: however long that waits for a lock, recording goes on. */
  background: Database
  /** How a handler that fails is tried again before it pauses. */
  retryPolicy: RetryPolicy & RetryLimits
  /** What is taken out of an event before it is stored. */
  privacy: Privacy
  retention: RetentionSettings
  /** What is done by the clock, by name: TASKS, or a test's own. */
  tasks: Readonly<Record<string, Task>>
  observer: ServiceObserver
}

/** Intervals in milliseconds. The interval doubles from attempt to attempt. */
export interface RetryLimits {
  initialInterval: number
  maxInterval: number
  maxAttempts: number
}

/** How long things are kept, in days; undefined for ever. */
export interface RetentionSettings {
  /** Events in the log. */
  retentionDays: number | undefined
  /** Counts per hour, before they become counts per day. */
  rollUpAfterDays: number | undefined
}

export interface Task {
  /** In the table of the documentation, e.g. "sends on batches that were left behind". */
  description: string
  everyMs: number
  /** A task that is off is not scheduled. */
  isOn: (retention: RetentionSettings) => boolean
  /** The work of a slot (in ms since 1970). An attempt ends with the error of a step, and the next one begins from the start. */
  run: (deps: Deps, ctx: ObjectContext, slot: number) => Promise<void>
}
