import type { HooksProvider } from '@restatedev/restate-sdk'
import type { StoreObserver } from '../../store/database/connection.ts'

/** What a process does for its traces; nothing while they are off. */
export interface Tracing {
  isOn: boolean
  /** For the endpoint: a span for each attempt of a handler and for each step. */
  hooks: HooksProvider[]
  /** For a pool: a span for each statement. */
  store: Pick<StoreObserver, 'queried'>
  /** Sends what is left. */
  stop: () => Promise<void>
}
