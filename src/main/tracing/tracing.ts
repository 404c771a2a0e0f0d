import type { HooksProvider } from '@restatedev/restate-sdk'
import type { StoreObserver } from '../../store/database/connection.ts'

/** The tracing of a process; without effect while traces are off. */
export interface Tracing {
  isOn: boolean
  /** For the endpoint: a span for each attempt of a handler and for each step. */
  hooks: HooksProvider[]
  /** For a pool: a span for each statement. */
  store: Pick<StoreObserver, 'queried'>
  /** Sends the remaining spans. */
  stop: () => Promise<void>
}
